"""Daemons: awaited until they serve, told of when they do not, and stopped."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.errors import BuildError, CommandFailed
from pytest_netconform.nodes import Net, Netns, Node
from pytest_netconform.nodes.daemons import Daemon

SERVER = """
import os, signal, socket, sys, time
kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[sys.argv[1]]
with socket.socket(socket.AF_INET6, kind) as sock:
    sock.bind(("::", 5353))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    signal.signal(signal.SIGHUP, lambda *_: print("reloaded", flush=True))
    print("serving", flush=True)
    while True:
        signal.pause()
"""


@pytest.fixture(params=["netns", "node"])
def place(request: pytest.FixtureRequest) -> Netns:
    """Run each test in a plain namespace, and in a node."""
    made: Netns = request.getfixturevalue(request.param)("place")
    return made


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_socket_is_awaited(place: Netns, kind: str) -> None:
    with place.daemon([sys.executable, "-I", "-S", "-c", SERVER, kind], f"{kind}/5353") as daemon:
        assert daemon.process.poll() is None
    assert daemon.process.returncode == -signal.SIGTERM


def test_a_line_is_awaited_and_what_it_says_later_is_kept(
    place: Netns, eventually: Callable[[Callable[[], bool]], bool]
) -> None:
    command = [sys.executable, "-I", "-S", "-c", SERVER, "tcp"]
    with place.daemon(command, re.compile("^serving$")) as daemon:
        daemon.reload()
        assert eventually(lambda: daemon.output == "serving\nreloaded\n")
    assert daemon.output == "serving\nreloaded\n"


def test_one_that_talks_without_end_takes_no_memory_and_its_last_words_are_there(place: Netns) -> None:
    script = f"echo first; head -c {SAID} /dev/zero | tr '\\0' x; echo; echo last; exec sleep 60"
    with place.daemon(script, re.compile("^last$")) as daemon:
        assert daemon._log is not None
        assert daemon._log.size() == SAID + len("first\n\nlast\n")
        assert os.stat(f"/proc/self/fd/{daemon._log._file}").st_blocks * 512 < 1 << 18  # noqa: PTH116
        assert daemon.output.endswith("xxx\nlast\n")
        assert len(daemon.output) == 1 << 16
        daemon.await_output("last")


def test_its_last_words_before_its_end_are_told(place: Netns) -> None:
    for number in range(20):
        with pytest.raises(BuildError, match=rf"\nit is over {number}$"):
            place.daemon(f"echo it is over {number}; exit 3", "tcp/53")


def test_a_file_is_awaited_where_the_daemon_sees_it(node: Callable[[str], Node], tmp_path: Path) -> None:
    one, path = node("one"), Path(f"/run/{tmp_path.name}-{os.getpid()}.pid")
    with one.daemon(f"touch {path}; exec sleep 60", path):
        assert not path.exists()


def test_a_condition_is_awaited(place: Netns) -> None:
    asked = iter([0, 0, 1])
    with place.daemon(["sleep", "60"], lambda: next(asked)):
        assert next(asked, None) is None


def test_one_that_ends_early_is_told_with_what_it_said(place: Netns, descriptors: Callable[[], int]) -> None:
    place.run("true")
    before = descriptors()
    with pytest.raises(BuildError) as caught:
        place.daemon("echo no configuration >&2; exit 3", "tcp/53")
    assert str(caught.value) == (
        "place: `echo no configuration >&2; exit 3` ended before it was ready; it must stay in the "
        "foreground (exit status 3)\nno configuration"
    )
    assert descriptors() == before


def test_one_that_is_never_ready_is_told_and_stopped(place: Netns) -> None:
    with pytest.raises(BuildError, match=r"was not ready within 0.2 s: nothing listens on udp/53\nwaiting"):
        place.daemon("echo waiting; exec sleep 61", "udp/53", timeout_s=0.2)


def test_one_that_ends_while_it_is_used_is_told(place: Netns) -> None:
    def use() -> None:
        with place.daemon(["sleep", "60"], lambda: True) as daemon:
            kill(daemon)

    with pytest.raises(BuildError, match=r"ended before it was stopped \(exit status -9\)"):
        use()


SERVING = f"{sys.executable} -I -S -c '{SERVER}' tcp"
SAID = 50_000_000
LINES_FOR_SH = {
    "in the foreground": f"true; {SERVING}; true",
    "behind a pipe": f"{SERVING} | cat",
    "of a subshell": f"({SERVING}; true); true",
    "in a session of its own": f"setsid {SERVING}; true",
    "in a PID namespace of its own": f"unshare --pid --fork {SERVING}; true",
}


def kill(daemon: Daemon) -> None:
    """Have it end as if it had crashed."""
    daemon.process.kill()
    daemon.process.wait()


def is_served(place: Netns) -> bool:
    return place.tcp("::1", 5353).replied


@pytest.mark.parametrize("kind", LINES_FOR_SH)
def test_of_a_line_for_sh_nothing_runs_after_stop(place: Netns, kind: str) -> None:
    daemon = place.daemon(LINES_FOR_SH[kind], "tcp/5353")
    assert is_served(place)
    daemon.stop(grace_s=0.5)  # what is an init does not heed SIGTERM
    assert place.tcp("::1", 5353).refused
    assert not daemon.running


def test_one_that_heeds_no_signal_is_killed(place: Netns) -> None:
    daemon = place.daemon(f"trap '' TERM; {SERVING}; true", "tcp/5353")
    daemon.stop(grace_s=0.05)
    assert daemon.process.returncode == -signal.SIGKILL
    assert place.tcp("::1", 5353).refused


@pytest.mark.parametrize(
    "line",
    ["sleep 60", "exec sleep 60", "SECONDS=60 sleep 60", "umask 077\nexec sleep 60", "command sleep 60"],
)
def test_a_line_is_run_with_sh_where_it_needs_one(place: Netns, line: str) -> None:
    with place.daemon(line, lambda: True) as daemon:
        assert daemon.running
        daemon.stop()
    assert not daemon.running


def test_of_a_list_nothing_runs_after_stop_not_even_what_outlives_it(place: Netns) -> None:
    script = f"trap 'exit 0' TERM; {SERVING} & while :; do wait; done"
    daemon = place.daemon(["sh", "-c", script], "tcp/5353")
    daemon.stop()
    assert place.tcp("::1", 5353).refused


def test_a_line_for_sh_is_told_to_reload_and_outlives_its_shell(place: Netns) -> None:
    with place.daemon(f"true; {SERVING}; true", re.compile("^serving$")) as daemon:
        daemon.reload()
        daemon.await_output("reloaded")
        assert is_served(place)
        assert daemon.running
    assert place.tcp("::1", 5353).refused


def test_what_listens_before_is_not_taken_for_it(place: Netns) -> None:
    with place.listen(5353), pytest.raises(BuildError, match="something listens on tcp/5353 before"):
        place.daemon(["sleep", "60"], "tcp/5353")
    with place.listen(5353, "udp"), pytest.raises(BuildError, match="something listens on udp/5353 before"):
        place.daemon(["sleep", "60"], "udp/5353")


def test_a_file_of_before_is_not_taken_for_it(node: Callable[[str], Node]) -> None:
    one = node("one")
    one.write("/run/one.pid", "1")
    with pytest.raises(BuildError, match=r"one: there is a /run/one.pid before the daemon"):
        one.daemon("touch /run/one.pid; exec sleep 60", Path("/run/one.pid"))


def test_one_that_nobody_stopped_and_that_ended_is_told_with_its_net() -> None:
    def use(*, fail: bool) -> None:
        with Net() as net:
            kill(net.netns("one").daemon("echo up; exec sleep 60", re.compile("up")))
            assert not fail

    with pytest.raises(BuildError, match=r"one: `.*` ended before it was stopped \(exit status -9\)\nup"):
        use(fail=False)
    with pytest.raises(AssertionError):
        use(fail=True)


def test_one_that_was_stopped_or_runs_until_its_net_ends_is_no_news() -> None:
    with Net() as net:
        one = net.netns("one")
        stopped = one.daemon(["sleep", "60"], lambda: True)
        kill(stopped)
        stopped.stop()
        one.daemon(["sleep", "60"], lambda: True)


def test_the_fixtures_tell_of_one_that_nobody_stopped(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_it(netns):
            process = netns("one").daemon(["sleep", "60"], lambda: True).process
            process.kill()
            process.wait()
    """)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ended before it was stopped (exit status -9)"])


def test_a_missing_program_and_a_condition_that_is_none_are_refused(place: Netns) -> None:
    with pytest.raises(CommandFailed, match="no such program: dnsmaq"):
        place.daemon(["dnsmaq"], "udp/53")
    with pytest.raises(BuildError, match="ready='53': expected tcp/PORT"):
        place.daemon(["sleep", "60"], "53")
