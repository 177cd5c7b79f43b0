"""Commands and daemons in namespaces."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.errors import BuildError, CommandFailed
from pytest_netconform.kernel.processes.popen import Process
from pytest_netconform.nodes import Net, Netns, Node

NodeMaker = Callable[[str], Node]
Eventually = Callable[[Callable[[], bool]], bool]


@pytest.fixture(params=["netns", "node"])
def place(request: pytest.FixtureRequest) -> Netns:
    """Run each test in a plain namespace, and in a node."""
    made: Netns = request.getfixturevalue(request.param)("place")
    return made


def test_a_string_goes_to_sh_and_a_list_does_not(place: Netns) -> None:
    assert place.run("echo $((1 + 1))").stdout == "2\n"
    assert place.run(["echo", "$((1 + 1))"]).stdout == "$((1 + 1))\n"


def test_input_output_and_status_come_back(place: Netns) -> None:
    done = place.run("cat; echo sorry >&2; exit 3", input="hello\n", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "hello\n", "sorry\n")


def test_stdin_is_empty_unless_given(place: Netns) -> None:
    assert place.run("cat").stdout == ""


def test_more_output_than_a_pipe_holds_comes_back(place: Netns) -> None:
    done = place.run("head -c 3000000 /dev/zero | tr '\\0' x; head -c 200000 /dev/zero | tr '\\0' y >&2")
    assert (len(done.stdout), len(done.stderr)) == (3_000_000, 200_000)


def test_a_command_that_writes_without_end_is_killed_and_its_last_words_kept(place: Netns) -> None:
    with pytest.raises(CommandFailed, match="killed, for it wrote more than 64 MiB to stdout") as caught:
        place.run("yes; echo went on >&2")
    assert re.match(r"\(\d+ bytes left out\)\ny?\ny\n", caught.value.stdout)
    assert len(caught.value.stdout) < 100_000
    assert "went on" not in caught.value.stderr


def test_too_much_output_is_told_also_of_a_command_that_has_ended(
    place: Netns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_netconform.kernel.processes.commands.MOST_BYTES", 100_000)
    with pytest.raises(CommandFailed, match="it wrote more than 0 MiB to stderr"):
        place.run("head -c 100001 /dev/zero >&2", check=False)
    assert len(place.run("head -c 100000 /dev/zero | tr '\\0' x").stdout) == 100_000


def test_bytes_that_are_no_text_come_back_marked(place: Netns) -> None:
    assert place.run("printf 'a\\377b'").stdout == "a\ufffdb"


def test_the_environment_is_added_to(place: Netns) -> None:
    assert (
        place.run('echo "$NODE2_IP:${HOME:+home}"', env={"NODE2_IP": "192.0.2.2"}).stdout
        == "192.0.2.2:home\n"
    )


def test_network_tools_are_found_whatever_our_path(place: Netns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert place.run("command -v ip sysctl").returncode == 0
    assert place.run(["sysctl", "-n", "net.ipv4.ip_forward"]).stdout == "0\n"


def test_a_failing_command_says_where_what_and_why(place: Netns) -> None:
    with pytest.raises(CommandFailed) as caught:
        place.run("echo half; echo done for >&2; exit 4")
    assert str(caught.value) == "place: `echo half; echo done for >&2; exit 4` exited with 4\nhalf\ndone for"
    assert (caught.value.returncode, caught.value.stdout, caught.value.stderr) == (4, "half\n", "done for\n")


@pytest.mark.parametrize("check", [True, False])
def test_a_missing_program_is_an_error_whether_checked_or_not(place: Netns, check: bool) -> None:
    with pytest.raises(CommandFailed, match="place: `pnig -c1 'a b'` exited with 127\nno such program: pnig"):
        place.run(["pnig", "-c1", "a b"], check=check)


def test_a_program_that_is_none_is_an_error(place: Netns) -> None:
    with pytest.raises(CommandFailed, match="exited with 126"):
        place.run(["/etc/passwd"], check=False)


def test_a_command_that_outlives_its_time_is_killed_with_its_children(place: Netns) -> None:
    with pytest.raises(CommandFailed, match=r"begun[\s\S]*killed, for it did not end within 0.2 s"):
        place.run("echo begun; sleep 60 & sleep 60; echo never", timeout_s=0.2, check=False)
    assert place.run("true", timeout_s=5).returncode == 0


def test_a_daemon_left_behind_does_not_keep_us_waiting(place: Netns) -> None:
    assert place.run("sleep 60 & echo started").stdout == "started\n"


def test_a_daemon_ends_when_its_namespace_is_closed() -> None:
    with Net() as net:
        for made in (net.node("a"), net.netns("b")):
            made.popen("sleep 60; exit 1")
            made.popen(["sleep", "60"], stdout=subprocess.PIPE)
            made.run("setsid sleep 60 & setsid -f sleep 60")
        children = [child for made in net for child in _children(made) if child.poll() is None]
        fds = [os.pidfd_open(int(pid)) for pid in _pids_of(net)]
        assert len(fds) > 8
    try:
        poll = select.poll()
        for fd in fds:
            poll.register(fd, select.POLLIN)
        assert len(poll.poll(0)) == len(fds), "all have ended when close() returns"
        assert {child.returncode for child in children} == {-signal.SIGKILL}
    finally:
        for fd in fds:
            os.close(fd)


def _children(made: Netns) -> list[Process]:
    assert made.namespaces._processes is not None
    return made.namespaces._processes.children


def _pids_of(net: Net) -> list[str]:
    """List the processes in the PID namespaces of a net, as we see them."""
    wanted = set()
    for made in net:
        process = made.popen(["sleep", "60"])
        wanted.add(os.readlink(f"/proc/{process.pid}/ns/pid"))  # noqa: PTH115
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208
        try:
            if os.readlink(f"/proc/{pid}/ns/pid") in wanted:  # noqa: PTH115
                found.append(pid)
        except OSError:
            continue
    return found


def test_a_daemon_can_be_talked_to(place: Netns) -> None:
    with place.popen("read x; echo $x is back", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as daemon:
        assert daemon.communicate("hello\n") == ("hello is back\n", None)
    assert daemon.returncode == 0


def test_a_node_sees_its_own_processes_only(node: NodeMaker, eventually: Eventually) -> None:
    one, other = node("one"), node("other")
    other.popen(["sleep", "61"])
    assert eventually(lambda: "sleep 61" in other.run("ps -eo args").stdout)
    seen = one.run("ps -eo args").stdout
    assert "sleep 61" not in seen
    assert "pytest" not in seen
    assert one.run(["pkill", "-f", "sleep 61"], check=False).returncode == 1


def test_orphans_are_buried(node: NodeMaker, eventually: Eventually) -> None:
    one = node("one")
    one.run("for i in 1 2 3 4 5 6 7 8 9; do (true & true &) ; (setsid true &) ; done")
    assert eventually(lambda: one.run(["ps", "-eo", "comm="]).stdout.split() == ["init", "ps"])


def test_whatever_is_killed_inside_the_namespace_lives_on(node: NodeMaker) -> None:
    one = node("one")
    daemon = one.popen(["sleep", "60"])
    for _ in range(3):
        one.run("kill -9 -1; kill -9 1", check=False)
    assert daemon.wait() == -signal.SIGKILL
    later = one.popen(["sleep", "60"])
    assert one.run("true").returncode == 0
    assert later.poll() is None


def test_only_one_init_is_made_for_many_first_commands_at_once(node: NodeMaker) -> None:
    one = node("one")
    said: list[str] = []
    threads = [
        threading.Thread(target=lambda: said.append(one.run("readlink /proc/self/ns/pid").stdout))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 8
    assert len(set(said)) == 1


def test_a_node_needs_no_program_of_its_own(
    node: NodeMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = node("one")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert one.run([shutil.which("true", path=os.defpath) or "true"]).returncode == 0


def test_call_gives_and_raises_what_the_function_does(place: Netns) -> None:
    assert place.call(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        place.call(divmod, 7, 0)


def test_call_runs_inside(place: Netns) -> None:
    inode = place.call(lambda: Path("/proc/thread-self/ns/net").stat().st_ino)
    assert inode == place.namespaces.inode != Path("/proc/self/ns/net").stat().st_ino


def test_no_thread_is_left_by_any_of_it(place: Netns) -> None:
    before = os.listdir("/proc/self/task")  # noqa: PTH208 - under xdist, one of them is execnet's
    place.run("true")
    place.call(int)
    with place.popen("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as talking:
        talking.communicate("hello")
    with place.daemon(["sleep", "60"], lambda: True):
        assert os.listdir("/proc/self/task") == before  # noqa: PTH208
        pid = os.fork()  # of which Python 3.12 and later warn where there is another thread
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    assert os.listdir("/proc/self/task") == before  # noqa: PTH208


def test_a_closed_namespace_does_nothing_rather_than_something_in_ours() -> None:
    with Net() as net:
        made = net.node("gone")
    for deed in (
        lambda: made.run("true"),
        lambda: made.call(int),
        lambda: made.popen("true"),
        lambda: made.ping("::1"),
    ):
        with pytest.raises(BuildError, match="gone is closed"):
            deed()
    made.close()


def test_a_forked_child_neither_ends_the_processes_nor_keeps_them(
    node: NodeMaker, forked: Callable[[Callable[[], object]], int]
) -> None:
    one = node("one")
    daemon = one.popen(["sleep", "60"])
    assert forked(one.close) == 0
    assert daemon.poll() is None
    assert one.run("echo still here").stdout == "still here\n"
