"""kill -9 at any moment: soon after, the host has what it had. NETCONFORM_KILLS says how often.

The moments are chosen by a seed, which a failure prints; NETCONFORM_SEED gives it again.
"""

from __future__ import annotations

import os
import random
import signal
from dataclasses import replace

import pytest
from sandbox import Round, enter

KILLS = int(os.environ.get("NETCONFORM_KILLS", "20"))
SEED = int(os.environ.get("NETCONFORM_SEED", random.SystemRandom().randrange(1 << 32)))
DEADLINE_S = float(os.environ.get("NETCONFORM_DEADLINE_S", "5"))
"""A second, says the promise; `make soak` holds us to it, where nothing else runs."""
WITHIN_S = 0.8
"""The tests that are killed take about as long, teardown included."""
AT_ONCE = 5
"""Rounds in one sandbox: each may begin only where the one before left nothing."""

PRELUDE = """
import itertools, os, subprocess, time
import pytest

@pytest.fixture
def host():
    fd = os.open("/proc/1/ns/net", os.O_RDONLY)
    yield fd
    os.close(fd)

numbers = itertools.count()

def go():
    if "PYTEST_XDIST_WORKER" not in os.environ:  # which does not inherit it
        os.write(int(os.environ["GO"]), b"go")

def populate(place):
    place.popen("trap '' TERM HUP; sleep 600")
    place.popen(["sleep", "600"], stdout=subprocess.PIPE)
    place.run("setsid sh -c 'setsid sleep 600 & sleep 600' >/dev/null 2>&1 &")
    place.run("setsid -f sh -c 'trap \\"\\" 1 2 3 15; while :; do sleep 600; done'")

@pytest.fixture
def built(netns, node, veth, bridge, host):
    go()
    one, other, plain = node("one"), node("other"), netns("plain")
    for place in (one, other, plain):  # by their peers the host sees whether they are gone
        words = f"ip link add host type veth peer name peer{next(numbers)} netns /proc/self/fd/{host}"
        assert place.popen(words.split(), pass_fds=[host]).wait() == 0
    veth(one, other, subnet="192.0.2.0/30")
    bridge(plain)
    for place in (one, other, plain):
        populate(place)
    one.run("mount -t tmpfs none /mnt; ip netns add inner; touch /etc/mark /run/mark /var/lib/mark")
    yield one, other, plain
    other.run("true")
"""
BUSY = (
    PRELUDE
    + """
@pytest.mark.parametrize("number", range(3))
def test_busy(built, number):
    one, other, plain = built
    one.ping(other)
    assert "eth0" in one.links
    one.call(time.sleep, 0.01)
    one.run("sleep 0.02 & sleep 0.02; wait")
    plain.popen("echo $$; exec sleep 600", stdout=subprocess.PIPE).stdout.readline()
"""
)


@pytest.mark.parametrize("batch", range((KILLS + AT_ONCE - 1) // AT_ONCE))
def test_sigkill_at_any_moment_leaves_nothing(batch: int) -> None:
    seeds = [SEED + number for number in range(batch * AT_ONCE, min(KILLS, (batch + 1) * AT_ONCE))]
    killed = Round(BUSY, signal=signal.SIGKILL, abrupt=True, within_s=WITHIN_S, deadline_s=DEADLINE_S)
    done = enter([replace(killed, seed=seed) for seed in seeds])
    assert len(done) == len(seeds)
    for one in done:
        shown = f"NETCONFORM_SEED={one.seed}, killed after {one.went_s:.3f} s: {one.left}\n{one.output}"
        assert not one.left, shown
        assert one.status in (-signal.SIGKILL, 0), shown
    slowest = max(done, key=lambda one: one.took_s)
    print(f"seeds {seeds[0]} to {seeds[-1]}: at most {slowest.took_s:.3f} s until nothing was left")


ENDS = """
def fail():
    go()
    raise ZeroDivisionError

def test_raises(built):
    fail()

def test_raises_inside(built):
    built[0].call(fail)

@pytest.fixture
def broken(built):
    fail()

def test_has_a_broken_fixture(broken):
    pass

@pytest.fixture
def breaking(built):
    yield
    fail()

def test_has_a_fixture_that_breaks_later(breaking):
    pass

def test_waits_in_a_command(built):
    built[0].run("sleep 600")

def test_waits_for_what_it_started(built):
    built[2].popen(["sleep", "600"]).wait()

def test_waits_inside(built):
    built[1].call(time.sleep, 600)
"""


@pytest.mark.parametrize(
    "selected",
    [
        *(["-k", name] for name in ("test_raises", "test_has_a_broken", "test_has_a_fixture")),
        ["--maxfail", "1", "-k", "raises or broken"],
        ["-n", "2", "-k", "raises"],
    ],
    ids=" ".join,
)
def test_exceptions_anywhere_leave_nothing(selected: list[str]) -> None:
    (one,) = enter([Round(PRELUDE + ENDS, args=selected)])
    assert (one.status, one.left) == (1, {}), one.output
    assert "ZeroDivisionError" in one.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("waits", ["in_a_command", "for_what_it_started", "inside"])
def test_a_signal_while_it_waits_leaves_nothing(waits: str, number: int) -> None:
    heeded = number == signal.SIGINT
    interrupted = Round(PRELUDE + ENDS, args=["-k", waits], signal=number, within_s=1, seed=SEED)
    (one,) = enter([replace(interrupted, abrupt=not heeded)])
    assert (one.status, one.left) == (2 if heeded else -number, {}), one.output


@pytest.mark.parametrize("method", ["signal", "thread"])
@pytest.mark.parametrize("waits", ["in_a_command", "for_what_it_started", "inside"])
def test_a_timeout_leaves_nothing(waits: str, method: str) -> None:
    args = ["-p", "timeout", "--timeout", "1", "--timeout-method", method, "-k", waits]
    (one,) = enter([Round(PRELUDE + ENDS, args=args, abrupt=method == "thread")])
    assert (one.status, one.left) == (1, {}), one.output
    assert "Timeout" in one.output
