"""A host of its own for pytest runs that are killed, with an init that buries nobody.

Run as a program, it is process 1 of a PID namespace, with network and mount namespaces of its own, so that it
counts what is left there whatever else goes on. It reads a list of `Round`s as JSON, and tells of each.
"""

# ruff: noqa: PTH115, PTH208 - what it reads of /proc are words, not paths

from __future__ import annotations

import json
import os
import random
import select
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OWN = ("/run", "/tmp", "/var/lib")


@dataclass
class Round:
    """One run of pytest on *source*, and how it is to end: by itself, or by a signal after it said `go`.

    Units:  the signal comes at a random moment of the first *within_s* seconds, chosen by *seed*.
    Shape:  after an *abrupt* end nobody buries the keeper. The rest is filled in: *went_s* how long it went,
            *took_s* how long it took after that until nothing was *left*.
    """

    source: str
    args: list[str] = field(default_factory=list)
    signal: int = 0
    abrupt: bool = False
    within_s: float = 0.0
    seed: int = 0
    deadline_s: float = 5.0
    status: int | None = None
    left: dict[str, Any] = field(default_factory=dict)
    took_s: float = 0.0
    went_s: float = 0.0
    output: str = ""


def enter(rounds: list[Round]) -> list[Round]:
    """Run the rounds in a fresh sandbox, and give them back with what came of them."""
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--net", sys.executable, __file__]
    done = subprocess.run(
        command, input=json.dumps(list(map(asdict, rounds))), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [Round(**json.loads(line)) for line in done.stdout.splitlines()]


def main() -> None:
    path = Path(__file__).parents[2]
    rounds = [Round(**one) for one in json.load(sys.stdin)]
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
    outside = {name: os.open(name, os.O_PATH) for name in (str(path), sys.prefix)}
    for place in OWN:
        subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    for name, fd in outside.items():  # those that lie in one of these places are to be seen there still
        if not Path(name).exists():
            Path(name).mkdir(parents=True)
            subprocess.run(["mount", "-c", "--bind", f"/proc/self/fd/{fd}", name], pass_fds=[fd], check=True)
        os.close(fd)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for one in rounds:
        play(one, path)
        print(json.dumps(asdict(one)), flush=True)


def play(one: Round, path: Path) -> None:
    place = Path("/tmp/victim")
    place.mkdir(exist_ok=True)
    (place / "test_victim.py").write_text(one.source)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    read, write = os.pipe()
    log = os.memfd_create("output")
    before = state()
    before["descriptors"].remove(os.readlink(f"/proc/self/fd/{write}"))
    victim = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", *one.args],
        cwd=place,
        env={**ours, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1", "GO": str(write)},
        pass_fds=[write],
        stdout=log,
        stderr=log,
        stdin=subprocess.DEVNULL,
    )
    os.close(write)
    os.read(read, 2)  # or its end
    started = time.monotonic()
    if one.signal:
        moment_s = random.Random(one.seed).random() * one.within_s
        ended = os.pidfd_open(victim.pid)
        select.select([ended], [], [], moment_s)
        os.close(ended)
        victim.send_signal(one.signal)
    one.status = victim.wait(timeout=60)
    killed = time.monotonic()
    one.went_s = killed - started
    while True:
        one.left = differences(before, state(), abrupt=one.abrupt)
        one.took_s = time.monotonic() - killed
        if not one.left or one.took_s > one.deadline_s:
            break
        select.select([], [], [], 0.005)  # the kernel gives no event of the last thing to go
    one.output = os.pread(log, 1 << 20, 0).decode(errors="replace")
    for fd in (read, log):
        os.close(fd)
    bury()


def bury() -> None:
    """Bury what was left to us; none of it may run any more."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def differences(before: dict[str, Any], after: dict[str, Any], *, abrupt: bool) -> dict[str, Any]:
    """List what is there now and was not, or the other way round."""
    if abrupt and "netconform" in after["zombies"]:
        after["zombies"].remove("netconform")
    return {
        what: sorted(set(before[what]) ^ set(after[what])) or after[what]
        for what in before
        if before[what] != after[what]
    }


def own_cgroups() -> list[Path]:
    """List the directories of the cgroups that we are in, below which ours would be; others come and go."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    tops = [(Path("/sys/fs/cgroup", kind.removeprefix("name=")), path) for _, kind, path in lines]
    return [Path(top, path.lstrip("/")) for top, path in tops if path != "/"]


def state() -> dict[str, Any]:
    running, namespaces, zombies = [], [], []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/stat").read_text()
            name, state = words.partition("(")[2].rpartition(")")[0], words.rpartition(")")[2].split()[0]
            if state == "Z":
                zombies.append(name)
                continue
            running.append(f"{pid} {name} {state}")
            namespaces += [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in os.listdir(f"/proc/{pid}/ns")]
        except OSError:
            continue
    return {
        "processes": running,
        "zombies": zombies,
        "namespaces": sorted(set(namespaces)),
        "links": [name for _, name in socket.if_nameindex()],
        "mounts": Path("/proc/self/mountinfo").read_text().splitlines(),
        "cgroups": [path for own in own_cgroups() for path, _, _ in os.walk(own)],
        "files": [
            str(Path(path, name))
            for place in OWN
            for path, _, names in os.walk(place)
            for name in names
            if ".hypothesis" not in path  # of tests beside these
        ],
        "descriptors": [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.exists()],
    }


if __name__ == "__main__":
    main()
