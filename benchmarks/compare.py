"""What the same work costs in mininet and in munet, where they are installed; prints a table in Markdown.

    python benchmarks/compare.py [--hosts 20] [--rounds 3] [--mininet PYTHON] [--munet PYTHON]

The work: hosts on one bridge, each with an IPv4 address, joined by veth pairs; then one ping from each to
each other; then all of it is gone. That all did the same is checked: who counts fewer replies than there are
pairs ends the comparison. Each runs in a process of its own, in network and PID namespaces of its own, for
mininet keeps its switch where it is started, and munet enters those of process 1; and mininet is kept from
raising the machine's limits.

Needs: root; unshare (util-linux); iputils-ping; for mininet `apt-get install mininet bridge-utils`, for
munet procps and `pip install munet`, in an environment of its own if you like: then name its interpreter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

PREFIX = "10.200.0"
Costs = dict[str, float]
"""Seconds of each step, and how many replied."""


def ours(n: int) -> Costs:
    from pytest_netconform.nodes import Net

    with Net() as net:  # for what is imported when first used
        net.lan(2, f"{PREFIX}.0/24").mesh()
    net = Net()
    start = time.perf_counter()
    hosts = net.lan(n, f"{PREFIX}.0/24")
    built = time.perf_counter()
    mesh = hosts.mesh()
    meshed = time.perf_counter()
    net.close()
    replied = sum(verdict == "replied" for verdict in mesh.verdicts.values())
    return costs(start, built, meshed, replied)


def mininet(n: int) -> Costs:
    import mininet.net
    from mininet.nodelib import LinuxBridge
    from mininet.topo import SingleSwitchTopo

    mininet.net.fixLimits = lambda: None
    start = time.perf_counter()
    net = mininet.net.Mininet(
        topo=SingleSwitchTopo(n), switch=LinuxBridge, controller=None, ipBase=f"{PREFIX}.0/24"
    )
    net.start()
    built = time.perf_counter()
    results = net.pingFull(timeout="1")
    meshed = time.perf_counter()
    net.stop()
    return costs(start, built, meshed, sum(received for _, _, (_, received, *_) in results))


def munet(n: int) -> Costs:
    return asyncio.run(with_munet(n))


async def with_munet(n: int) -> Costs:
    from munet.parser import async_build_topology

    logging.disable(logging.INFO)
    addresses = {f"h{number}": f"{PREFIX}.{number}" for number in range(1, n + 1)}
    nodes = [
        {"name": name, "connections": [{"to": "br0", "name": "eth0", "ip": f"{address}/24"}]}
        for name, address in addresses.items()
    ]
    with tempfile.TemporaryDirectory() as made:
        config = {
            "topology": {"networks": [{"name": "br0"}], "nodes": nodes},
            "config_pathname": str(Path(made, "munet.yaml")),
        }
        start = time.perf_counter()
        net = await async_build_topology(config, rundir=made, top_level_pidns=False)
        built = time.perf_counter()
        replied = 0
        for here, there in permutations(addresses, 2):
            status, _, _ = net.hosts[here].cmd_status(f"ping -c1 -W1 {addresses[there]}")
            replied += status == 0
        meshed = time.perf_counter()
        await net.async_delete()
        return costs(start, built, meshed, replied)


def costs(start: float, built: float, meshed: float, replied: int) -> Costs:
    return {
        "build": built - start,
        "mesh": meshed - built,
        "gone": time.perf_counter() - meshed,
        "replied": replied,
    }


CANDIDATES: dict[str, Callable[[int], Costs]] = {
    "pytest-netconform": ours,
    "mininet": mininet,
    "munet": munet,
}
MODULES = {"pytest-netconform": "pytest_netconform"}


def interpreter(name: str, given: str | None) -> str | None:
    """Find a Python that can import a candidate; None, and why, where there is none."""
    for python in [given] if given else [sys.executable, "/usr/bin/python3"]:
        found = shutil.which(python)
        if (
            found
            and not subprocess.run(
                [found, "-c", f"import {MODULES.get(name, name)}"], capture_output=True
            ).returncode
        ):
            return found
    print(f"{name}: not installed, and left out", file=sys.stderr)
    return None


def measured(name: str, python: str, n: int) -> Costs:
    """Have a candidate do the work once, and hold it to having done all of it."""
    apart = ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command = [*apart, python, __file__, "--do", name, "--hosts", str(n)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
    found: Costs = json.loads(done.stdout.splitlines()[-1])
    if found["replied"] != n * (n - 1):
        sys.exit(f"{name}: expected {n * (n - 1)} replies, got {found['replied']:g}")
    return found


def row(name: str, seen: list[Costs], n: int) -> str:
    build, mesh, gone = (statistics.median(each[step] for each in seen) for step in ("build", "mesh", "gone"))
    per_host, per_ping = build / n * 1000, mesh / (n * (n - 1)) * 1e6
    return f"| {name} | {per_host:,.1f} ms | {per_ping:,.0f} us | {gone / n * 1000:,.2f} ms |"


def main() -> None:
    """Measure, and print the table; or with --do, do the work."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--hosts", type=int, default=20)
    options.add_argument("--rounds", type=int, default=3)
    for name in ("mininet", "munet"):
        options.add_argument(f"--{name}", metavar="PYTHON", help=f"the interpreter that has {name}")
    options.add_argument("--do", choices=CANDIDATES, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.do:
        print(json.dumps(CANDIDATES[chosen.do](chosen.hosts)))
        return
    compare(vars(chosen))


def compare(chosen: dict[str, Any]) -> None:
    n = chosen["hosts"]
    found = {name: interpreter(name, chosen.get(name)) for name in CANDIDATES}
    pythons = {name: python for name, python in found.items() if python}
    seen: dict[str, list[Costs]] = {name: [] for name in pythons}
    for number in range(chosen["rounds"]):
        print(f"round {number + 1} of {chosen['rounds']}", file=sys.stderr)
        for name, python in pythons.items():
            seen[name].append(measured(name, python, n))
    print(f"| {n} hosts, {n * (n - 1)} pings | build, per host | mesh, per ping | teardown, per host |")
    print("| --- | --- | --- | --- |")
    for name, each in seen.items():
        print(row(name, each, n))


if __name__ == "__main__":
    main()
