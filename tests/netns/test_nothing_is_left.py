"""However a process ends that built nodes: no namespace, process, mount or file of them is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_netconform.nodes import Net

Eventually = Callable[[Callable[[], bool]], bool]
MARK = "NETCONFORM_TEST_MARK"

BUILD = """
import json, os, signal, sys, time
from pytest_netconform.nodes import Net

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job comes with it ignored

def build(net):
    one, other, plain = net.node("one"), net.node("other"), net.netns("plain")
    net.veth(one, other, subnet="192.0.2.0/30")
    net.bridge(plain)
    for place in (one, plain):
        place.popen("trap '' TERM HUP; sleep 600")
        place.run("setsid sh -c 'setsid sleep 600 & sleep 600' >/dev/null 2>&1 &")
        place.run("setsid -f sh -c 'trap \\"\\" 1 2 3 15; while :; do sleep 600; done'")
    one.run("mount -t tmpfs none /mnt; ip netns add inner; touch /etc/mark /run/mark /var/lib/mark")
    return net

"""
HELD = "net = build(Net()); print('built', flush=True); signal.pause()"
IN_CONTEXT = """
try:
    with Net() as net:
        build(net); print('built', flush=True)
        net["one"].run("sleep 600")
finally:
    print("closed", flush=True)
"""
FORKED = """
net = build(Net())
if os.fork() == 0:
    os.closerange(0, 3)
else:
    print('built', flush=True)
signal.pause()
"""
RAISING = "with Net() as net: build(net); print('built', flush=True); raise SystemExit(7)"
UNCLOSED = "net = build(Net()); print('built', flush=True)"


@contextmanager
def started(ending: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a Python that builds a net; give it with the mark that all its descendants bear."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", BUILD + ending],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), MARK: mark},
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "built\n", process.communicate()[1]
            yield process, mark
        finally:
            process.kill()
            for pid in marked(mark):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def marked(mark: str) -> dict[int, str]:
    """List all processes that bear the mark, and their programs; zombies bear none."""
    found = {}
    for pid in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208
        try:
            if f"{MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                found[int(pid)] = Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0].decode()
        except OSError:
            continue
    return found


@pytest.fixture
def host() -> Callable[[], Any]:
    """Look at what a leak would change on the host."""

    def look() -> Any:
        links = json.loads(subprocess.check_output(["ip", "-j", "link"], text=True))
        return {
            "links": [(link["ifindex"], link["ifname"], link["flags"], link["mtu"]) for link in links],
            "mounts": Path("/proc/self/mountinfo").read_text(),
            "etc": sorted(str(path) for path in Path("/etc").rglob("*")),
            "run": sorted(name for name in os.listdir("/run") if name in ("mark", "netns")),  # noqa: PTH208
            "marks": [path for path in ("/etc/mark", "/run/mark", "/var/lib/mark") if Path(path).exists()],
            "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        }

    return look


def test_sigkill_leaves_nothing(host: Callable[[], Any], eventually: Eventually) -> None:
    before = host()
    with started(HELD) as (process, mark):
        assert len(marked(mark)) > 10
        os.kill(process.pid, signal.SIGKILL)
        assert eventually(lambda: not marked(mark)), marked(mark)
    assert host() == before


def test_sigkill_ends_the_nodes_even_if_a_forked_child_lives_on(eventually: Eventually) -> None:
    with started(FORKED) as (process, mark):
        os.kill(process.pid, signal.SIGKILL)
        assert eventually(lambda: list(marked(mark).values()) == [sys.executable]), marked(mark)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_running_command_and_leaves_nothing(
    number: int, host: Callable[[], Any], eventually: Eventually
) -> None:
    before = host()
    with started(IN_CONTEXT) as (process, mark):
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
        if number == signal.SIGINT:
            assert stdout == "closed\n"
            assert stderr.rstrip().endswith("KeyboardInterrupt")
        assert eventually(lambda: not marked(mark)), marked(mark)
    assert host() == before


@pytest.mark.parametrize(
    ("after", "status"), [(RAISING, 7), (UNCLOSED, 0)], ids=["exception", "never closed"]
)
def test_an_end_of_any_kind_leaves_nothing(
    after: str, status: int, host: Callable[[], Any], eventually: Eventually
) -> None:
    before = host()
    with started(after) as (process, mark):
        _, stderr = process.communicate(timeout=20)
        assert process.returncode == status
        if after is RAISING:
            assert stderr == ""
        assert eventually(lambda: not marked(mark)), marked(mark)
    assert host() == before


def test_closing_gives_back_every_descriptor(descriptors: Callable[[], int]) -> None:
    with Net() as net:
        net.veth(net.node("warm"), net.netns("up"))
    before = descriptors()
    with Net() as net:
        one, other = net.node("one"), net.netns("other")
        net.veth(one, other, subnet="192.0.2.0/30")
        net.bridge(one)
        one.run("true")
        one.popen("sleep 600", stdout=subprocess.PIPE)
        assert one.ping(other).replied
    assert descriptors() == before


@pytest.mark.parametrize("kind", ["netns", "node"])
def test_closing_destroys_the_namespace(kind: str, eventually: Eventually) -> None:
    with Net() as surviving:
        witness = surviving.netns("witness")
        with Net() as net:
            closed = getattr(net, kind)("closed")
            net.veth(witness, closed)
            closed.run("sleep 600 >/dev/null & ")
            assert "eth0" in witness.links
        assert eventually(lambda: "eth0" not in witness.links)


def test_a_net_that_fails_half_way_is_closed(descriptors: Callable[[], int]) -> None:
    before = descriptors()

    def fail() -> None:
        with Net() as net:
            net.node("one").popen("sleep 600")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert descriptors() == before
