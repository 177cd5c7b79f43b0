"""Who keeps the processes of a node, and what becomes of them when that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.errors import BuildError, CommandFailed
from pytest_netconform.kernel.processes import inits, keeper
from pytest_netconform.kernel.processes.popen import Process
from pytest_netconform.nodes import Net, Netns, Node

NodeMaker = Callable[[str], Node]
Eventually = Callable[[Callable[[], bool]], bool]


@pytest.fixture(params=["netns", "node"])
def place(request: pytest.FixtureRequest) -> Netns:
    """Run each test in a plain namespace, and in a node."""
    made: Netns = request.getfixturevalue(request.param)("place")
    return made


def init_of(place: Netns) -> int:
    place.run("true")
    assert place.namespaces._processes is not None
    return place.namespaces._processes._init


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def keeper_pid() -> int:
    assert inits._keeper is not None
    return inits._keeper.process.pid


def test_a_command_is_known_by_its_number_outside(place: Netns, eventually: Eventually) -> None:
    process = place.popen(["sleep", "60"])
    cmdline = Path(f"/proc/{process.pid}/cmdline")
    assert eventually(lambda: cmdline.read_bytes() == b"sleep\x0060\x00")
    inside = Path(f"/proc/{process.pid}/status").read_text().partition("NSpid:")[2].split()
    assert inside[0] == str(process.pid) != inside[1]


def test_the_parent_of_all_commands_is_their_init_and_its_the_keeper(place: Netns) -> None:
    process = place.popen(["sleep", "60"])
    init = init_of(place)
    assert str(process.pid) in children(init)
    assert str(init) in children(keeper_pid())
    assert str(keeper_pid()) in children(os.getpid())
    assert Path(f"/proc/{init}/cmdline").read_bytes().rstrip(b"\0") == b"init"


def test_a_second_net_has_the_same_keeper() -> None:
    kept = set()
    for _ in range(2):
        with Net() as net:
            net.node("one").run("true")
            net.netns("two").run("true")
            kept.add(keeper_pid())
    assert len(kept) == 1
    assert children(kept.pop()) == []


def test_a_killed_keeper_takes_nothing_with_it(place: Netns, node: NodeMaker) -> None:
    daemon = place.popen("read x; exit 3", stdin=subprocess.PIPE)
    os.kill(keeper_pid(), signal.SIGKILL)
    assert place.run("echo on").stdout == "on\n"
    assert daemon.communicate("x\n") == (None, None)
    assert daemon.returncode == 3
    assert node("later").run("echo new").stdout == "new\n"
    left = place.popen(["sleep", "60"])
    place.close()
    assert left.returncode == -signal.SIGKILL


def test_a_killed_init_is_named_by_all_that_needs_it(place: Netns) -> None:
    init = init_of(place)
    daemon = place.popen(["sleep", "60"])
    os.kill(init, signal.SIGKILL)
    assert daemon.wait() == -signal.SIGKILL
    for deed in (place.run, place.popen):
        with pytest.raises(BuildError, match=rf"place: all its processes have ended.*\(process {init}\)"):
            deed("true")
    daemon.send_signal(signal.SIGTERM)
    place.close()


def test_signals_meant_for_us_do_not_reach_the_keeper(place: Netns) -> None:
    place.run("true")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(keeper_pid(), number)
        os.kill(init_of(place), number)
    assert place.run("echo on").stdout == "on\n"
    assert os.getsid(keeper_pid()) == keeper_pid()


def test_a_command_heeds_the_signals_that_its_init_ignores(place: Netns) -> None:
    shown = place.run(["grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"]).stdout
    heeded = int(shown.partition("SigIgn:")[2], 16) | int(shown.partition("SigBlk:")[2].split()[0], 16)
    assert not any(heeded >> number - 1 & 1 for number in keeper.IGNORED)


def test_what_cannot_start_the_keeper_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inits.end_keeper()
    broken = tmp_path / "keeper.py"
    broken.write_text("raise SystemExit('no such luck')")
    monkeypatch.setattr(inits, "PROGRAM", broken)
    with (
        Net() as net,
        pytest.raises(BuildError, match="one: no PID namespace: the keeper ended: no such luck"),
    ):
        net.netns("one").run("true")


def test_it_ends_with_those_that_use_it_and_leaves_no_process() -> None:
    script = (
        "import os; from pytest_netconform.nodes import Net\n"
        "with Net() as net: net.netns('one').run('true')\n"
        "from pytest_netconform.kernel.processes.inits import _keeper; print(_keeper.process.pid)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=True)
    assert not Path(f"/proc/{done.stdout.strip()}").exists()


def test_a_session_within_a_session_leaves_it_alone(pytester: pytest.Pytester, place: Netns) -> None:
    place.run("true")
    before = keeper_pid()
    pytester.makepyfile("def test_one(netns): netns('one').run('true')")
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
    assert keeper_pid() == before
    assert place.run("echo on").stdout == "on\n"


def test_a_forked_child_may_run_commands_too(
    place: Netns, node: NodeMaker, forked: Callable[[Callable[[], object]], int]
) -> None:
    def run() -> int:
        done = place.run("exit 3", check=False), node("later").run("exit 4", check=False)
        return sum(one.returncode for one in done)

    place.run("true")
    assert forked(run) == 7
    assert place.run("echo on").stdout == "on\n"


def test_a_forked_child_keeps_the_namespaces_until_it_closes_them_too() -> None:
    net = Net()
    net.node("one").run("true")
    namespaces = net["one"].namespaces
    held = {os.readlink(f"/proc/self/fd/{fd}") for fd, _ in namespaces.handles}  # noqa: PTH115
    ready, closing, closed, end = (os.eventfd(0) for _ in range(4))
    pid = os.fork()
    if pid == 0:
        os.eventfd_write(ready, 1)
        os.eventfd_read(closing)
        net.close()
        os.eventfd_write(closed, 1)
        os.eventfd_read(end)
        os._exit(0)
    os.eventfd_read(ready)
    net.close()
    assert held <= links_of(pid)
    os.eventfd_write(closing, 1)
    os.eventfd_read(closed)
    assert not held & links_of(pid)
    os.eventfd_write(end, 1)
    os.waitpid(pid, 0)
    for fd in (ready, closing, closed, end):
        os.close(fd)


def links_of(pid: int) -> set[str]:
    """List what a process's descriptors are."""
    return {os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")}  # noqa: PTH115


def test_many_threads_may_run_commands_at_once(place: Netns) -> None:
    said: dict[int, str] = {}

    def work(number: int) -> None:
        for _ in range(5):
            said[number] = place.run(["echo", str(number)]).stdout

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == {number: f"{number}\n" for number in range(8)}


def test_arguments_and_environment_may_be_large(place: Netns) -> None:
    words = ["x" * 100_000] * 10
    env = {"LARGE": "y" * 100_000}
    assert place.run(["sh", "-c", "echo $# ${#LARGE}", "sh", *words], env=env).stdout == "10 100000\n"
    with pytest.raises(CommandFailed, match="Argument list too long"):
        place.run(["true", *["x" * 100_000] * 100])


def test_bytes_that_are_no_text_pass_as_arguments(place: Netns) -> None:
    assert place.run(["printf", "%s", os.fsdecode(b"a\xff")], check=True).stdout == "a\ufffd"
    with pytest.raises(CommandFailed, match="embedded null"):
        place.run(["echo", "a\0b"])


def test_a_command_starts_where_we_are_or_at_the_root_of_its_node(
    netns: Callable[[str], Netns], node: NodeMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    plain, one = netns("plain"), node("one")
    assert plain.run("pwd").stdout == f"{tmp_path}\n"
    assert plain.popen("pwd", cwd="below", stdout=subprocess.PIPE).communicate()[0] == f"{tmp_path}/below\n"
    assert one.run("pwd").stdout == "/\n"
    assert one.popen("pwd", cwd="run", stdout=subprocess.PIPE).communicate()[0] == "/run\n"
    with pytest.raises(CommandFailed, match="no such program: /none"):
        one.popen("pwd", cwd="/none")


def test_descriptors_are_passed_by_their_numbers_whatever_they_are(place: Netns, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with (tmp_path / "a").open() as a, (tmp_path / "b").open() as b:
        for first, second in ((a, b), (b, a)):
            command = f"cat /dev/fd/{a.fileno()} /dev/fd/{b.fileno()}; ls /proc/self/fd"
            process = place.popen(command, pass_fds=[first.fileno(), second.fileno()], stdout=subprocess.PIPE)
            said, _, seen = process.communicate()[0].partition("0\n")
            assert said == "ab"
            assert {*seen.split()} == {"1", "2", "3", str(a.fileno()), str(b.fileno())}


class TestTheInterfaceOfPopen:
    def test_text_and_bytes(self, place: Netns) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        text = place.popen("cat; echo é >&2", **pipes)
        assert text.communicate("ä\r\n") == ("ä\n", "é\n")
        binary = place.popen("cat; echo é >&2", text=False, **pipes)
        assert binary.communicate("ä".encode() + b"\xff") == ("ä".encode() + b"\xff", "é\n".encode())

    def test_more_than_a_pipe_holds_goes_both_ways(self, place: Netns) -> None:
        process = place.popen("tee /dev/stderr", stdin=-1, stdout=-1, stderr=-1)
        out, err = process.communicate("x" * 1_000_000)
        assert (len(out), len(err)) == (1_000_000, 1_000_000)

    def test_one_that_reads_nothing_ends_the_conversation(self, place: Netns) -> None:
        assert place.popen("exec <&-; echo done", stdin=-1, stdout=-1).communicate("x" * 1_000_000) == (
            "done\n",
            None,
        )

    def test_stderr_may_go_where_stdout_goes(self, place: Netns) -> None:
        process = place.popen("echo a; echo b >&2", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.communicate() == ("a\nb\n", None)

    def test_a_timeout_loses_nothing(self, place: Netns) -> None:
        process = place.popen("echo a; read x; echo b$x", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
        assert process.stdout is not None
        with pytest.raises(subprocess.TimeoutExpired) as caught:
            place.popen("echo a; sleep 60", stdout=subprocess.PIPE).communicate(timeout=0.2)
        assert caught.value.output == b"a\n"
        assert process.communicate("c\n", timeout=5) == ("a\nbc\n", None)
        assert process.communicate() == ("a\nbc\n", None)

    def test_signals(self, place: Netns) -> None:
        for send, number in (
            (Process.terminate, signal.SIGTERM),
            (Process.kill, signal.SIGKILL),
            (lambda process: process.send_signal(signal.SIGUSR1), signal.SIGUSR1),
        ):
            process = place.popen(["sleep", "60"])
            assert process.poll() is None
            send(process)
            assert process.wait(timeout=5) == -number
            send(process)

    def test_streams_are_files(self, place: Netns) -> None:
        with place.popen("while read x; do echo [$x]; done", stdin=-1, stdout=-1, bufsize=1) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("a\n")
            assert process.stdout.readline() == "[a]\n"
        assert process.returncode == 0

    def test_an_option_that_means_nothing_here_is_refused(self, place: Netns) -> None:
        with pytest.raises(TypeError, match="place: popen\\(\\) inside takes no preexec_fn"):
            place.popen("true", preexec_fn=print)
