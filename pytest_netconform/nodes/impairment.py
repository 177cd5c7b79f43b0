"""Impairments of a device, each a context manager that is undone at its end.

Several may be in force at once, also on the same device, and end in any order. Of one kind the innermost
counts.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from pytest_netconform.errors import BuildError, CommandFailed
from pytest_netconform.kernel.impairing.ends import End
from pytest_netconform.kernel.impairing.flushed import Flushed, flushed
from pytest_netconform.kernel.impairing.qdisc import root_qdisc, set_rate, unset_rate
from pytest_netconform.kernel.rtnetlink import link_set
from pytest_netconform.nodes.contexts import context
from pytest_netconform.nodes.namespaces import Netns

Direction = Literal["in", "out", "both"]
DIRECTIONS: tuple[Direction, ...] = ("in", "out", "both")
MILLION = 1_000_000
SLOWEST_KBIT, FASTEST_KBIT = 1, 100_000_000
DROPPING = """table netdev {table} {{
    chain lost {{
        type filter hook ingress device "{ifname}" priority -500
        {which}counter drop
    }}
}}
"""
"""Where a packet arrives, and not where it leaves: there the sender would be told ENOBUFS."""


@dataclass(eq=False, slots=True)
class Layer:
    """One value of a device's setting: the first layer is what was found, the last is in force."""

    value: Any


_layers: dict[tuple[tuple[int, int], str], list[Layer]] = {}
_memories: dict[int, Flushed] = {}
"""What is impaired now, by namespace and device: what meets in the kernel must meet here."""


class Impairable:
    """What can be done to a device for the time of a context.

    Shape:  *direction* is "in", "out" or "both", seen from the device; "out" needs a veth.
    Raises: BuildError, also at the end, where something could not be made as it was before; and at the end of
            the net for one that was never entered.
    Needs:  CAP_NET_ADMIN; nft for `loss` and `silent`.
    """

    __slots__ = ()

    netns: Netns
    ifname: str
    ifindex: int

    @context
    def cut(self) -> Iterator[None]:
        """Take the carrier of a veth away, by setting its other end down.

        At the end what that took along is put back: addresses, routes, permanent neighbours, nexthops.
        """
        with ExitStack() as stack:
            end = stack.enter_context(self._end())
            peer = stack.enter_context(end.peer())
            others = _others(stack, [end, *end.uppers(), *peer.uppers()])
            deed = partial(_spoiling, others, partial(_set_up, peer, end))
            stack.enter_context(_remembered(peer, "up", lambda: peer.state().up, False, deed))
            yield

    @context
    def silent(self, direction: Direction = "both") -> Iterator[None]:
        """Drop every packet; the carrier stays."""
        with self.loss(100, direction):
            yield

    @context
    def loss(self, percent: float, direction: Direction = "both") -> Iterator[None]:
        """Drop so many of a hundred packets, at random, in each direction; the carrier stays."""
        with self._end() as end, ExitStack() as stack:
            if not 0 < percent <= 100:
                raise BuildError(f"{end}: a loss of {percent:g} percent: expected more than 0, 100 at most")
            which = f"numgen random mod {MILLION} < {max(1, round(percent * MILLION / 100))} " * (
                percent < 100
            )
            for receiver in _ends(end, direction, stack, "in"):
                stack.enter_context(_dropping(receiver, which))
            yield

    @context
    def rate(self, kbit: float, direction: Direction = "both", *, queue_ms: float = 100.0) -> Iterator[None]:
        """Let no more than so many kilobits pass in a second, in each direction.

        Units: what would wait longer than about *queue_ms* is dropped.
        """
        with self._end() as end, ExitStack() as stack:
            if not SLOWEST_KBIT <= kbit <= FASTEST_KBIT or not queue_ms > 0:
                raise BuildError(
                    f"{end}: a rate of {kbit:g} kbit and a queue of {queue_ms:g} ms: "
                    f"expected {SLOWEST_KBIT} to {FASTEST_KBIT} kbit, and more than 0 ms"
                )
            for sender in _ends(end, direction, stack, "out"):
                stack.enter_context(
                    _layered(
                        sender, "rate", partial(_no_rate, sender), (kbit, queue_ms), partial(_rate, sender)
                    )
                )
            yield

    @context
    def mtu(self, mtu: int) -> Iterator[None]:
        """Give the device another MTU; its other end keeps its own."""
        with ExitStack() as stack:
            end = stack.enter_context(self._end())
            deed = partial(_spoiling, _others(stack, end.uppers()), partial(_mtu, end))
            stack.enter_context(_remembered(end, "mtu", lambda: end.state().mtu, mtu, deed))
            yield

    def _end(self) -> End:
        if not self.netns.namespaces.mortal:
            raise BuildError(
                f"{self.netns.name}: {self.ifname} is in a namespace that no net made: hands off"
            )
        return End(self.netns.namespaces, self.ifname, self.ifindex)


@contextmanager
def _layered(
    end: End, setting: str, found: Callable[[], Any], value: Any, apply: Callable[[Any, bool], None]
) -> Iterator[None]:
    """Have a setting's innermost value in force, and at the end that of the next, or what was found.

    Shape: *apply* takes a value, and whether it is that at the end.
    """
    key = (end.key, setting)
    layers = _layers.get(key) or [Layer(found())]
    _layers[key] = layers
    layers.append(mine := Layer(value))
    try:
        apply(value, False)
        yield
    finally:
        layers.remove(mine)
        try:
            apply(layers[-1].value, True)
        finally:
            if len(layers) == 1:
                del _layers[key]


@contextmanager
def _remembered(
    end: End,
    setting: str,
    found: Callable[[], Any],
    value: Any,
    deed: Callable[[Any], None],
) -> Iterator[None]:
    """Have a value in force that makes the kernel forget things, and put these back at the end."""
    memory, mine = _memory(end), (end.ifindex, setting)

    def apply(value: Any, ending: bool) -> None:
        if ending:
            memory.held.remove(mine)
            memory.mend(end, partial(deed, value))
        else:
            memory.held.append(mine)
            memory.spoil(end, partial(deed, value))

    try:
        with _layered(end, setting, found, value, apply):
            yield
    finally:
        _forget(end)


def _others(stack: ExitStack, ends: list[End]) -> list[End]:
    """Look after devices that suffer from what is done to another one."""
    for end in ends:
        stack.enter_context(end)
        stack.enter_context(_mended_after(end))
    return ends


def _spoiling(others: list[End], deed: Callable[[Any], None], value: Any) -> None:
    """Do what makes the kernel forget things of other devices too, in their namespaces."""
    deeds: list[Callable[[], object]] = [partial(deed, value)]
    for end in others:
        deeds.append(partial(_memory(end).spoil, end, deeds[-1]))
    deeds[-1]()


@contextmanager
def _mended_after(end: End) -> Iterator[None]:
    """Put back at the end what another cut could not, while this one kept the carrier away."""
    memory, mine = _memory(end), (end.ifindex, "carrier")
    memory.held.append(mine)
    try:
        yield
    finally:
        memory.held.remove(mine)
        try:
            memory.mend(end, lambda: None)
        finally:
            _forget(end)


def _memory(end: End) -> Flushed:
    inode = end.namespaces.inode
    return _memories.get(inode) or _memories.setdefault(inode, flushed(end))


def _forget(end: End) -> None:
    inode = end.namespaces.inode
    if inode in _memories and not _memories[inode].held:
        del _memories[inode]


def _set_up(end: End, other: End, up: bool) -> None:
    """Set one end of a pair up or down, and wait until its other end, and the bridges behind, have noticed.

    Who set the other down meanwhile, on purpose, is not waited for.
    """
    if up != end.state().up:
        end.rtnetlink.do(link_set(end, up=up))
    if not other.state().up:
        return
    if not up:
        other.rtnetlink.await_down(other)
        return
    for each in (other, end):
        each.rtnetlink.await_up(each)
        if (bridge := each.bridge()) and bridge.forwards_at_once:
            each.rtnetlink.await_up(bridge)


def _mtu(end: End, mtu: int) -> None:
    if end.state().mtu != mtu:
        end.rtnetlink.do(link_set(end, mtu=mtu))


def _rate(end: End, value: tuple[float, float] | None, _: bool) -> None:
    if value is not None:
        set_rate(end, *value)
    elif root_qdisc(end) is not None:
        unset_rate(end)


def _no_rate(end: End) -> None:
    """Refuse to take the place of somebody else's qdisc, which could not be put back."""
    if qdisc := root_qdisc(end):
        raise BuildError(f"{end}: a rate would take the place of its qdisc, {qdisc}: delete that first")


def _ends(end: End, direction: Direction, stack: ExitStack, own: str) -> list[End]:
    """List the ends to work at: the device itself where *direction* is *own*, else its other end, or both."""
    if direction not in DIRECTIONS:
        raise BuildError(f"{end}: direction {direction!r}: expected {', '.join(DIRECTIONS)}")
    ends = [end] if direction in (own, "both") else []
    return ends + ([stack.enter_context(end.peer())] if direction != own else [])


@contextmanager
def _dropping(receiver: End, which: str) -> Iterator[None]:
    """Have a table of our own that drops what a device receives."""
    if not set(receiver.ifname).isdisjoint('"*\\'):
        raise BuildError(f"{receiver}: nft has no way to write this device's name")
    table = f"netconform-{secrets.token_hex(4)}"
    _nft(receiver, DROPPING.format(table=table, ifname=receiver.ifname, which=which), "loss")
    try:
        yield
    finally:
        _nft(receiver, f"delete table netdev {table}\n", "no loss any more")


def _nft(end: End, commands: str, what: str) -> None:
    try:
        end.namespaces.run(["nft", "-f", "-"], input=commands)
    except CommandFailed as failed:
        said = "nft is not installed" if failed.returncode == 127 else " ".join(failed.stderr.split())
        raise BuildError(f"{end}: {what}: {said}") from failed
