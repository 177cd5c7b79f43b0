"""An interrupt at any moment, as of Ctrl-C or of a timeout, is raised as it is and leaves nothing."""

from __future__ import annotations

import _thread
import gc
import os
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_netconform.kernel import threads
from pytest_netconform.kernel.making.fresh import make_nodes
from pytest_netconform.kernel.netlink import Message, Netlink
from pytest_netconform.kernel.processes import inits as keeping
from pytest_netconform.kernel.rtnetlink import link_up
from pytest_netconform.kernel.threads import in_a_thread
from pytest_netconform.nodes import Net, Netns

# of a socket that was just made when the interrupt came: whoever drops it closes it
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
NEIGHBOURS = {bytes((10, 0, n // 250, n % 250 + 2)) for n in range(2000)}
Within = Callable[[float, Callable[[], object]], None]


class Interrupted(BaseException):
    """As KeyboardInterrupt: what no handler of errors takes."""


@pytest.fixture
def within(no_collections: None) -> Iterator[Within]:  # noqa: ARG001
    """Call something, and interrupt it at a random moment within so many seconds, unless it ends before."""
    armed = False

    def interrupt(*_: object) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise Interrupted

    def call(seconds: float, deed: Callable[[], object]) -> None:
        nonlocal armed
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, seconds))
            deed()
        except Interrupted:
            pass
        finally:
            armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    former = signal.signal(signal.SIGALRM, interrupt)
    yield call
    signal.signal(signal.SIGALRM, former)


def tasks() -> int:
    """Count our threads as the kernel does."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208


def inits() -> int:
    """Count the PID namespaces that are left: the keeper has a child for each."""
    assert keeping._keeper is not None
    pid = keeping._keeper.process.pid
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def held() -> list[str]:
    """List what our descriptors are."""
    return sorted(os.readlink(entry.path) for entry in os.scandir("/proc/self/fd") if os.path.islink(entry))  # noqa: PTH114, PTH115


def test_an_interrupt_while_a_thread_starts_is_raised_as_it_is(
    within: Within, eventually: Callable[[Callable[[], bool]], bool]
) -> None:
    before, known = tasks(), threading.enumerate()
    for _ in range(500):
        within(0.0002, lambda: in_a_thread(int))
    assert threading.enumerate() == known
    assert eventually(lambda: tasks() == before)


def test_a_call_that_was_interrupted_before_it_began_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    kept: list[Callable[[], None]] = []

    def start(run: Callable[[], None], _: tuple[()]) -> None:
        kept.append(run)
        raise KeyboardInterrupt

    monkeypatch.setattr(threads._thread, "start_new_thread", start)
    with pytest.raises(KeyboardInterrupt):
        in_a_thread(lambda: begun.append(1))
    kept[0]()  # the thread, somewhat later
    assert not begun


def test_a_call_that_was_interrupted_when_it_had_begun_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()
    real = _thread.start_new_thread

    def start(run: Callable[[], None], args: tuple[()]) -> None:
        real(run, args)
        begun.wait()
        go.set()
        raise KeyboardInterrupt

    def work() -> None:
        begun.set()
        go.wait()
        ended.set()

    monkeypatch.setattr(threads._thread, "start_new_thread", start)
    with pytest.raises(KeyboardInterrupt):
        in_a_thread(work)
    assert ended.is_set()


def test_what_logs_in_a_thread_leaves_no_thread_behind() -> None:
    known = threading.enumerate()
    assert in_a_thread(lambda: threading.current_thread().name)
    assert threading.enumerate() == known


def test_listeners_outlive_an_interrupt_while_their_thread_starts(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = net.node("a")
    first = a.listen(80)
    real, calls = _thread.start_new_thread, iter([False, False, True])

    def start(run: Callable[[], None], args: tuple[()]) -> int:
        if next(calls, False):
            raise KeyboardInterrupt
        return real(run, args)

    with monkeypatch.context() as patched:
        patched.setattr(threads._thread, "start_new_thread", start)
        with pytest.raises(KeyboardInterrupt):
            a.listen(81)
    assert next(calls, None) is None
    assert a.tcp("127.0.0.1", 80).replied
    assert a.tcp("127.0.0.1", 81).refused
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    with a.listen(81):
        assert a.tcp("127.0.0.1", 81).replied
    first.close()
    assert a.tcp("127.0.0.1", 80).refused


@pytest.fixture
def crowded(net: Net) -> Netns:
    """A namespace with a table that the kernel gives in pieces."""
    one = net.netns("one")
    one.run("ip link add eth0 type bridge; ip link set eth0 up; ip addr add 10.0.0.1/16 dev eth0")
    neighs = "\n".join(
        f"neigh add {socket.inet_ntoa(dst)} lladdr 02:00:00:00:00:01 dev eth0" for dst in NEIGHBOURS
    )
    one.run(["ip", "-batch", "-"], input=neighs)
    return one


class Lo:
    ifname, ifindex = "lo", 1


def neighbours(netns: Netns) -> int:
    return netns.rtnetlink.count_neighbours(socket.AF_INET, NEIGHBOURS)


def test_after_an_answer_that_was_not_read_to_its_end_the_next_request_is_taken(
    crowded: Netns, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Netlink._receive

    def receive(netlink: Netlink) -> list[Message]:
        real(netlink)
        raise KeyboardInterrupt

    for ask in (lambda: neighbours(crowded), lambda: crowded.rtnetlink.do(link_up(Lo()))):
        with monkeypatch.context() as patched:
            patched.setattr(Netlink, "_receive", receive)
            with pytest.raises(KeyboardInterrupt):
                ask()
        assert neighbours(crowded) == 2000


def test_requests_may_be_interrupted_at_any_moment(crowded: Netns, within: Within) -> None:
    for _ in range(100):
        within(0.005, lambda: neighbours(crowded))
        assert neighbours(crowded) == 2000


def test_threads_may_ask_the_same_namespace_at_once(crowded: Netns) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(neighbours, [crowded] * 40)) == {2000}


def test_a_net_that_is_dropped_gives_back_every_descriptor(descriptors: Callable[[], int]) -> None:
    gc.collect()
    before = descriptors()
    net = Net()
    net.node("one"), net.netns("other")
    del net
    gc.collect()
    assert descriptors() == before
    make_nodes(["one"])
    assert descriptors() == before


def test_a_close_that_was_interrupted_can_be_finished(descriptors: Callable[[], int], within: Within) -> None:
    gc.collect()
    before = descriptors()
    for _ in range(100):
        net = Net()
        one = net.node("one")
        net.netns("other").listen(80)
        one.popen("sleep 600", stdout=subprocess.PIPE)
        within(0.006, net.close)
        net.close()
        assert descriptors() == before


def listen(net: Net) -> None:
    with net["a"].listen(81):
        pass


def cut(net: Net) -> None:
    with net.eth0.cut():  # type: ignore[attr-defined]
        pass


DEEDS: dict[str, tuple[float, Callable[[Net], object]]] = {
    "making": (0.004, lambda net: (net.netns("more"), net.node("yet.more"))),
    "listening": (0.002, listen),
    "running": (0.004, lambda net: net["a"].run("true")),
    "starting": (0.003, lambda net: net["b"].popen("sleep 600", stdout=subprocess.PIPE)),
    "probing": (0.002, lambda net: net["a"].ping("192.0.2.2")),
    "cutting": (0.03, cut),
    "a mesh": (0.006, lambda net: net.lan(3, "198.51.100.0/24").mesh("tcp", 80)),
    "closing": (0.006, Net.close),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_an_interrupt_at_any_moment_leaves_nothing(
    deed: str,
    within: Within,
    descriptors: Callable[[], int],
    eventually: Callable[[Callable[[], bool]], bool],
) -> None:
    seconds, call = DEEDS[deed]
    random.seed(seed := random.randrange(1 << 32))
    print(f"seed {seed}")

    def once(interrupted: bool) -> None:
        with Net() as net:
            a, b = net.node("a"), net.netns("b")
            net.eth0, _ = net.veth(a, b, subnet="192.0.2.0/30")  # type: ignore[attr-defined]
            b.listen(80)
            a.popen("sleep 600")
            within(seconds, lambda: call(net)) if interrupted else call(net)

    once(False)  # imports are no place to be interrupted at
    gc.collect()
    before = (descriptors(), tasks(), inits())
    for _ in range(25):
        once(True)
    gc.collect()
    assert eventually(lambda: (descriptors(), tasks(), inits()) == before), (seed, before, held())
