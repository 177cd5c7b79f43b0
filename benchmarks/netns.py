"""What namespaces, LANs and meshes cost against a C program with the same requests and packets, in one run.

    python benchmarks/netns.py [--rounds 5] [--hosts 100]

Each round measures everything, ours and the C program in turn; shown are the medians of the rounds, and the
medians of each round's ratios. Before each measurement the kernel has destroyed the namespaces of the one
before, except where just that is measured. Cold means that no host knows another's MAC address yet: the table
of neighbours is one for the whole machine, so as many hosts take part as it has room for; 27 on a stock
kernel. Warm means permanent neighbours.

Needs: root, and a C compiler.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isqrt
from pathlib import Path

from pytest_netconform.kernel.probing.neighbour_table import occupancy
from pytest_netconform.nodes import Hosts, Net, supports

SOURCE = Path(__file__).with_suffix(".c")
SUBNET = "10.200.0.0/16"
TIMEOUT_S = 0.3
GROWN = 5
"""How many times as many hosts the larger LAN has."""
REPEATS = 20
"""How often a round does what takes about a millisecond."""


@dataclass(frozen=True)
class Figure:
    """One row: ours in milliseconds, or in another unit, and what it is held against."""

    name: str
    ours: float
    theirs: float | None = None
    ratio: float | None = None
    excess: float | None = None
    budget: float | None = None


class Yardstick:
    """The C program."""

    def __init__(self, directory: Path) -> None:
        known = (shutil.which(name) for name in ("cc", "gcc", "clang"))
        compiler = os.environ.get("CC") or next(filter(None, known), None)
        if compiler is None:
            sys.exit("no C compiler: expected cc, gcc, clang or $CC (Debian: apt-get install gcc libc6-dev)")
        self._program = directory / "netns"
        made = subprocess.run([compiler, "-O2", "-o", self._program, SOURCE], capture_output=True, text=True)
        if made.returncode:
            sys.exit(f"{compiler} could not compile {SOURCE}:\n{made.stderr}")

    def __call__(self, *words: object) -> list[float]:
        """Run it, and give the numbers that it prints."""
        done = subprocess.run([self._program, *map(str, words)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"netns {' '.join(map(str, words))}: {done.stderr.strip()}")
        return [float(word) for word in done.stdout.split()]

    def settle(self) -> None:
        """Wait until the kernel has destroyed all namespaces that were let go of."""
        self("settle")


def timed(deed: Callable[[], object]) -> float:
    start = time.perf_counter()
    deed()
    return (time.perf_counter() - start) * 1000


def typical(deed: Callable[[], object]) -> float:
    """Time what takes a millisecond or so."""
    return statistics.median(timed(deed) for _ in range(REPEATS))


def mesh(hosts: Hosts) -> float:
    """Time a mesh in which everybody replies."""
    found = []
    took = timed(lambda: found.append(hosts.mesh()))
    if not found[0].all_replied:
        sys.exit(f"not everybody replied: {found[0]}")
    return took


def building(yard: Yardstick, n: int) -> Iterator[Figure]:
    """Build n hosts, build them again while the kernel destroys the first, and build many more."""
    yard.settle()
    (theirs,) = yard("build", n)
    yard.settle()
    net = Net()
    ours = timed(lambda: net.lan(n, SUBNET))
    yield Figure(f"build of lan({n})", ours, theirs, ours / theirs, budget=1.5)
    yard.settle()
    following = Net()
    again = timed(lambda: (net.close(), following.lan(n, SUBNET)))
    following.close()
    yard.settle()
    (their_again,) = yard("rebuild", n)
    name = f"the same, while {n} are destroyed, beyond that"
    yield Figure(name, again - ours, their_again - theirs, excess=again - ours, budget=50)
    yard.settle()
    (their_many,) = yard("build", n * GROWN)
    yard.settle()
    with Net() as larger:
        many = timed(lambda: larger.lan(n * GROWN, SUBNET))
    each, their_each = many / n / GROWN, their_many / n / GROWN
    yield Figure(f"a host of lan({n * GROWN})", each, their_each, each / their_each, budget=1.5)
    yield Figure("growth: that, over a host of the smaller", each, ours / n, each / (ours / n), budget=1.2)
    yield Figure("growth of the C program", their_each, theirs / n, their_each / (theirs / n))


def meshing(yard: Yardstick, n: int) -> Iterator[Figure]:
    """Ping from everybody to everybody: with no MAC address known, with all known, and with no bridge."""
    yard.settle()
    few = min(n, cold_hosts())
    theirs, _ = yard("mesh", few)
    yard.settle()
    with Net() as net:
        ours = mesh(net.lan(few, SUBNET))
    yield Figure(f"mesh of {few}, cold, {few * (few - 1):,} pings", ours, theirs, ours / theirs, budget=1.3)
    yard.settle()
    _, theirs = yard("mesh", n, "permanent")
    yard.settle()
    with Net() as net:
        hosts = net.lan(n, SUBNET, permanent_neighs=True)
        mesh(hosts)
        ours = mesh(hosts)
        yield Figure(f"mesh of {n}, warm, {n * (n - 1):,} pings", ours, theirs, ours / theirs, budget=1.3)
        hosts.bridge.netns.run("ip link set br0 down")
        lost = timed(lambda: hosts.mesh(timeout_s=TIMEOUT_S))
    beyond = lost - TIMEOUT_S * 1000
    name = f"the same, all lost, beyond the {TIMEOUT_S:g} s awaited"
    yield Figure(name, beyond, excess=beyond, budget=300)


def cold_hosts() -> int:
    """Count the hosts that crowd nobody out of the table; others would be forgotten at the end of a mesh."""
    table = occupancy(4)
    return max(2, isqrt(max(0, min(table.room, table.limit * 3 // 4 - table.entries))))


def commanding(yard: Yardstick, _: int) -> Iterator[Figure]:
    """Run a command in a node, and as we are."""
    yard.settle()
    with Net() as net:
        node = net.node("node1")
        node.run(["true"])  # which starts its PID namespace
        ours = typical(lambda: node.run(["true"]))
        theirs = typical(lambda: subprocess.run(["true"], check=True, capture_output=True, text=True))
        yield Figure("command in a node, against subprocess.run", ours, theirs, ours / theirs, budget=1.5)


def single_deeds(yard: Yardstick, _: int) -> Iterator[Figure]:
    """Do one of each."""
    yard.settle()
    with Net() as net:
        names = iter(range(10_000))
        yield Figure("namespace", typical(lambda: net.netns(f"netns{next(names)}")))
        yield Figure("node", typical(lambda: net.node(f"node{next(names)}")))
        one, other = net.netns("one"), net.netns("other")
        pairs = iter(range(REPEATS))
        yield Figure("veth pair with addresses, up", typical(lambda: pair(net, next(pairs))))
        net.veth(one, other, subnet="10.0.0.0/24")
        vnis = iter(range(1, REPEATS + 1))
        if supports("vxlan"):
            made = typical(lambda: net.vxlan(one, other, vni=(vni := next(vnis)), subnet=f"10.1.{vni}.0/24"))
            yield Figure("vxlan pair with addresses, up", made)
        yield Figure("ping", typical(lambda: one.ping("10.0.0.2")))
        port = other.listen().port
        yield Figure("tcp probe", typical(lambda: one.tcp("10.0.0.2", port)))


def pair(net: Net, number: int) -> None:
    names = (f"left{number}", f"right{number}")
    net.veth(net["one"], net["other"], ifnames=names, subnet=f"10.2.{number}.0/24")


def report(rounds: list[list[Figure]]) -> None:
    """Print medians, and the medians of what was compared within each round."""
    print(f"{'':52}{'ours':>10}{'C or bare':>11}{'ratio':>8}{'budget':>9}")
    for seen in zip(*rounds, strict=True):
        first = seen[0]
        theirs = "" if first.theirs is None else f"{middle(seen, 'theirs'):8.2f} ms"
        ratio = "" if first.ratio is None else f"{middle(seen, 'ratio'):.2f}"
        compared = middle(seen, "ratio" if first.ratio is not None else "excess") if first.budget else 0.0
        over = " (over)" if first.budget and compared > first.budget else ""
        budget = "" if not first.budget else f"{first.budget:g}" + (" ms" if first.excess is not None else "")
        print(f"{first.name:52}{middle(seen, 'ours'):7.2f} ms{theirs:>11}{ratio:>8}{budget:>9}{over}")


def middle(seen: tuple[Figure, ...], field: str) -> float:
    return statistics.median(getattr(figure, field) for figure in seen)


def main() -> None:
    """Measure, and print the table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--hosts", type=int, default=100)
    chosen = options.parse_args()
    measures = (building, meshing, commanding, single_deeds)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as made:
        yard = Yardstick(Path(made))
        for measure in measures:  # for what is imported, and found out, when first used
            list(measure(yard, 4))
        rounds = []
        for number in range(chosen.rounds):
            print(f"round {number + 1} of {chosen.rounds}", file=sys.stderr)
            rounds.append([figure for measure in measures for figure in measure(yard, chosen.hosts)])
    report(rounds)


if __name__ == "__main__":
    main()
