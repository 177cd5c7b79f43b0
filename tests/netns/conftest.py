"""What the tests on the real kernel share."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_netconform.kernel.making import userns
from pytest_netconform.nodes import Net, Node

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in this folder: all of them make namespaces."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.namespaces)


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool]], bool]:
    """Ask again until it holds or the time is over; for what the kernel gives no event of."""
    return _eventually


def _eventually(condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture(scope="session")
def warm() -> None:
    """Have what stays open from the first node on: the keeper, and in a user namespace a model."""
    if not userns.why_not():
        with Net() as net:
            net.node("warm").run("true")


@pytest.fixture
def descriptors(warm: None) -> Callable[[], int]:  # noqa: ARG001
    """Count our own open descriptors."""
    return lambda: len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.fixture(scope="session")
def forked() -> Callable[[Callable[[], object]], int]:
    """Call in a forked child, which never comes back whatever happens there; gives its exit status."""

    def run(fn: Callable[[], object]) -> int:
        pid = os.fork()
        if pid == 0:
            status = 255
            try:
                status = int(fn() or 0)  # type: ignore[call-overload]
            finally:
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    return run


@pytest.fixture
def no_collections() -> Iterator[None]:
    """Keep the garbage collector out: Python swallows an interrupt that comes in its callbacks."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def net() -> Iterator[Net]:
    """Hold what a test builds."""
    with Net() as net:
        yield net


@pytest.fixture
def wired(net: Net) -> tuple[Node, Node]:
    """Build two nodes, a and b, with a wire between them."""
    nodes = net.node("a"), net.node("b")
    net.veth(*nodes, subnet=("10.0.0.0/30", "2001:db8::/64"))
    return nodes


@pytest.fixture
def a(wired: tuple[Node, Node]) -> Node:
    return wired[0]


@pytest.fixture
def b(wired: tuple[Node, Node]) -> Node:
    return wired[1]


@pytest.fixture
def routed() -> Iterator[Net]:
    """Two nodes with a router between them; each end reaches the other, by IPv4 and IPv6."""
    with Net() as net:
        left, router, right = net.node("left"), net.node("router"), net.node("right")
        net.veth(left, router, subnet=("10.0.1.0/30", "2001:db8:1::/64"))
        net.veth(right, router, ifnames=("eth0", "eth1"), subnet=("10.0.2.0/30", "2001:db8:2::/64"))
        for node, number in ((left, 1), (right, 2)):
            node.run(
                f"ip route add default via 10.0.{number}.2; ip route add default via 2001:db8:{number}::2"
            )
        router.sysctl["net.ipv4.ip_forward"] = 1
        router.sysctl["net.ipv6.conf.all.forwarding"] = 1
        yield net
