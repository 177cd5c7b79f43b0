"""Attempts side by side: their order, their time, and what ends them."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.driving import Attempt, Loop, Wait, drive
from pytest_netconform.kernel.probing.sockets import Open
from pytest_netconform.probes.registry import NAMES, probe

HERE = Namespaces.here("here")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def waiting(sock: socket.socket, timeout_s: float = 30.0) -> Attempt[bytes]:
    events = yield Wait(sock, select.POLLIN, time.monotonic() + timeout_s)
    return sock.recv(9) if events else b"lost"


def at_once(value: int) -> Attempt[int]:
    return value
    yield  # an attempt that waits for nothing


def test_outcomes_stand_in_the_order_of_their_attempts() -> None:
    pairs = [socket.socketpair() for _ in range(40)]
    for number, (_, far) in reversed(list(enumerate(pairs))):
        far.send(b"%d" % number)
    assert drive(waiting(near) for near, _ in pairs) == [b"%d" % number for number in range(40)]
    for near, far in pairs:
        near.close(), far.close()


@given(st.integers(0, 100), st.integers(1, 40) | st.none())
def test_all_attempts_come_to_their_end(number: int, bound: int | None) -> None:
    assert drive(map(at_once, range(number)), at_once=bound) == list(range(number))


def test_no_more_are_begun_than_may_be_at_once() -> None:
    running, most = 0, 0

    def counted() -> Attempt[None]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        with (yield Open(HERE, socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
            assert (yield Wait(sock, select.POLLOUT))
        running -= 1

    drive((counted() for _ in range(30)), at_once=7)
    assert most == 7


def test_each_is_told_of_its_own_end_of_time(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    other = socket.fromfd(far.fileno(), socket.AF_UNIX, socket.SOCK_STREAM)

    def then_sends() -> Attempt[bytes]:
        first = yield from waiting(near, 0.02)
        near.send(b"go")
        return first

    with other:
        assert drive([then_sends(), waiting(other)]) == [b"lost", b"go"]


def test_what_one_raises_closes_the_others(pair: tuple[socket.socket, socket.socket]) -> None:
    closed = []

    def patient() -> Attempt[None]:
        try:
            yield Wait(pair[0], select.POLLIN)
        finally:
            closed.append(True)

    def failing() -> Attempt[None]:
        yield Wait(pair[1], select.POLLOUT)
        raise ProbeError("no such device")

    with pytest.raises(ProbeError, match="no such device"):
        drive([patient(), failing()])
    assert closed == [True]


def test_a_socket_that_cannot_be_opened_is_told_to_who_wants_it() -> None:
    def wants_nonsense() -> Attempt[str]:
        try:
            yield Open(HERE, 250, socket.SOCK_DGRAM)
        except OSError as error:
            return error.__class__.__name__
        return "opened"

    assert drive([wants_nonsense(), wants_nonsense()]) == ["OSError", "OSError"]


def test_a_closed_loop_leaves_no_descriptor() -> None:
    def opens() -> Attempt[None]:
        with (yield Open(HERE, socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
            yield Wait(sock, 0)

    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    loop = Loop()
    loop.start(opens(), owner="me")
    loop.start(opens())
    loop.turn(0)
    assert len(loop) == 2
    loop.drop("me")
    assert len(loop) == 1
    loop.start(opens())
    loop.close()
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208


@pytest.mark.parametrize("name", NAMES)
def test_a_probe_is_found_by_its_name(name: str) -> None:
    attempt = probe(name)(
        HERE, "nowhere", **{"tcp": {"port": 1}, "udp": {"port": 1}, "dns": {"name": "x"}}.get(name, {})
    )
    with pytest.raises(ProbeError, match=f"here: {name}"):
        drive([attempt])


def test_a_probe_that_there_is_not_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(ProbeError, match=r"there is no probe 'pnig' \(did you mean 'ping'"):
        probe("pnig")
