"""What 1,000 checks cost against 1,000 empty tests, and what the start costs, in ratios of one run.

    python benchmarks/checks.py [--rounds 5]

Each round times four runs of pytest, one after the other: no test, 1,000 empty tests, one check, 1,000
checks. Shown are the medians of the rounds, and the medians of each round's ratios. Budgets: a check costs at
most one empty item beyond the item itself (2.0 empty items), the fixed start at most 250 ms beyond pytest's,
the plugin installed but not used 5 ms.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKS = 1000
NAMES = ("nothing", "empty tests", "one check", "checks", "without plugin")


def write_inputs(directory: Path) -> dict[str, list[str]]:
    """Write what is run; gives the arguments of each run."""
    (directory / "test_empty.py").write_text("".join(f"def test_{i}(): pass\n\n" for i in range(CHECKS)))
    (directory / "test_nothing.py").write_text("")
    for stem, count in (("one", 1), ("many", CHECKS)):
        (directory / f"{stem}.suite.yaml").write_text(suite(stem, count))
    plain = ["-q", "--no-header", "-p", "no:cacheprovider"]
    return {
        "nothing": [*plain, "test_nothing.py"],
        "without plugin": [*plain, "-p", "no:netconform", "test_nothing.py"],
        "empty tests": [*plain, "test_empty.py"],
        "one check": [*plain, "--netconform", "one.suite.yaml"],
        "checks": [*plain, "--netconform", "many.suite.yaml"],
    }


def suite(stem: str, count: int) -> str:
    """Write a suite of checks of the kinds that people use most, in turn."""
    bodies = (
        "link: {ifname: lo, flags: UP, mtu: '>= 1280'}",
        "sysctl: {net.ipv4.tcp_syncookies: {any_of: [0, 1, 2]}}",
        "addr: {ifname: lo, family: inet, local: 127.0.0.1}",
        "route: {where: {table: local}, some: {dst: 127.0.0.1}}",
    )
    checks = "".join(
        f"  check-{i}:\n    severity: minor\n    {bodies[i % len(bodies)]}\n    why: It is measured.\n"
        for i in range(count)
    )
    return f"suite: {stem}\ntitle: Checks to be measured\nchecks:\n{checks}"


def timed(arguments: list[str], directory: Path) -> float:
    """Run pytest once, as a process of its own."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=directory, capture_output=True, text=True
    )
    elapsed = time.perf_counter() - start
    if done.returncode not in (0, 5):
        sys.exit(f"pytest {' '.join(arguments)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return elapsed


def main() -> None:
    """Measure, and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as made:
        directory = Path(made)
        runs = write_inputs(directory)
        for arguments in runs.values():
            timed(arguments, directory)
        seen: dict[str, list[float]] = {name: [] for name in NAMES}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            for name in NAMES:
                seen[name].append(timed(runs[name], directory))
    report(seen)


def report(seen: dict[str, list[float]]) -> None:
    """Print medians, and ratios taken within each round."""
    for name in NAMES:
        print(f"{name:16} {statistics.median(seen[name]) * 1000:8.0f} ms")
    rows = list(zip(*(seen[name] for name in NAMES), strict=True))
    ratios = [(many - one) / (empty - nothing) for nothing, empty, one, many, _ in rows]
    starts = [(one - nothing) * 1000 for nothing, _, one, _, _ in rows]
    unused = [(nothing - without) * 1000 for nothing, _, _, _, without in rows]
    print(f"a check costs    {statistics.median(ratios):8.2f} empty items (budget 2.0)")
    print(f"the start costs  {statistics.median(starts):8.0f} ms beyond pytest's (budget 250)")
    print(f"unused           {statistics.median(unused):8.1f} ms (budget 5)")


if __name__ == "__main__":
    main()
