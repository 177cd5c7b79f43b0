"""Path MTU: the largest packet that reaches the other side undivided, and who holds back a larger one."""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.driving import Attempt, Wait
from pytest_netconform.kernel.probing.icmp import LARGEST, TOO_BIG, V4, V6, Echo, EchoSocket
from pytest_netconform.kernel.probing.sockets import Open
from pytest_netconform.probes.outcome import Outcome
from pytest_netconform.probes.ping import USUAL, answered, by_whom, sent_or_rejected
from pytest_netconform.probes.sending import Fields, check, ip_version, lost, named, since_ms

PMTUDISC_PROBE = 3
"""Sends undivided, whatever the kernel has learnt of the path before, which may be ten minutes old."""
SIDE_BY_SIDE, BYTES_AT_ONCE = 16, 60_000
AGAIN = 2
"""How often silence is asked again: a packet may get lost on the way for any reason."""
HASTE_S = 0.2
"""How long a search waits for its sizes, where replies come fast; what it finds is then confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PathMtu(Outcome):
    """The largest packet that was answered when it was sent undivided.

    Units: mtu is the length of the IP packet in bytes, headers included.
    Shape: *narrowed_by* is the hop that told of it, None where our own device bounds it, or nobody told;
           *black_hole* means that somebody swallows larger packets and tells nobody.
    """

    narrowed_by: str | None = None
    black_hole: bool = False
    ttl: int | None = None
    source: str | None = None
    mark: int | None = None

    def _said(self) -> str:
        if not self.replied:
            return Outcome._said(self)
        if self.black_hole:
            return f"{self.mtu} bytes, what is larger is swallowed in silence"
        who = f"told by {self.narrowed_by}" if self.narrowed_by else "our own device's"
        return f"{self.mtu} bytes, {who}"


def path_mtu(
    namespaces: Namespaces,
    dst: str,
    *,
    ttl: int | None = None,
    source: str | None = None,
    mark: int | None = None,
    timeout_s: float = 1.0,
) -> Attempt[PathMtu]:
    """Find the path MTU to an address that answers pings.

    Units:  timeout_s is the longest wait for one answer; silence takes two of them, a black hole some more.
    Shape:  *source* is one of our addresses, or a device to be sent through.
    Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
            An address that answers no ping of the usual size has that ping's outcome. A reply is as long as
            its request, so what gets lost on the way back counts too.
    Needs:  CAP_NET_RAW; CAP_NET_ADMIN for a mark.
    Source: RFC 1191, RFC 8201; RFC 4821 where nobody tells.
    """
    with named(f"{namespaces.name}: path_mtu {dst}"):
        check(dst, source=source, ttl=ttl, mark=mark, timeout_s=timeout_s)
    version = ip_version(dst)
    sent: dict[str, Any] = {"src": namespaces.name, "dst": dst, "ttl": ttl, "source": source, "mark": mark}
    with named(f"{namespaces.name}: path_mtu {dst}"):
        wire = V4 if version == 4 else V6
        with (yield Open(namespaces, wire.family, socket.SOCK_RAW, wire.proto)) as sock:
            echo_socket = EchoSocket(namespaces, version, sock)
            echo_socket.configure(df=True, ttl=ttl, mark=mark, source=source)
            sock.setsockopt(wire.level, wire.discovery, PMTUDISC_PROBE)
            fields = yield from _Search(echo_socket, dst, timeout_s).found(USUAL[version])
            return PathMtu(**sent, **fields)


@dataclass
class _Search:
    """The largest size that was answered, and the largest that may yet be."""

    echo_socket: EchoSocket
    dst: str
    timeout_s: float
    good: int = 0
    most: int = LARGEST
    told: Fields = field(default_factory=dict)
    silent: bool = False

    def found(self, usual: int) -> Attempt[Fields]:
        """Search from above while we are told where to go on, and by halves where we are not."""
        first = yield from self._confirmed(usual)
        first = by_whom(self.echo_socket, self.dst, first)
        if not first.get("replied"):
            return first
        self.good = usual
        while self.good < self.most:
            top, told = self.most, self.told
            fields = yield from self._confirmed(top)
            if (ended := self._learn(top, fields)) is not None:
                return ended
            if self.silent:
                yield from self._narrowed(top, first["rtt_ms"])
            if self.good == top:
                self.silent, self.told = False, told
        black_hole = self.silent and not self.told
        return {**first, "mtu": self.good, "narrowed_by": self.told.get("by"), "black_hole": black_hole}

    def _narrowed(self, top: int, rtt_ms: float) -> Attempt[None]:
        """Search between what was answered and *top*, which was not, several sizes at once; then confirm."""
        patience_s, copies = min(self.timeout_s, max(HASTE_S, rtt_ms / 100)), 1
        at_once = max(1, min(SIDE_BY_SIDE, BYTES_AT_ONCE // top))
        while True:
            while self.good < self.most:
                sizes = _between(self.good, self.most, at_once)
                for size, fields in sorted((yield from self._tried(sizes, patience_s, copies)).items()):
                    self._learn(size, fields)
            if not self.silent or self.good == top:
                return
            above = self.good + 1
            if not (yield from self._confirmed(above)).get("replied"):
                return
            self.good, self.most = above, top  # we were too hasty: a loss had another reason
            patience_s, at_once, copies = self.timeout_s, 1, 1 + AGAIN

    def _learn(self, size: int, fields: Fields) -> Fields | None:
        """Take in what became of a size; gives it back if it ends the search."""
        if fields.get("replied"):
            self.good = max(self.good, size)
            self.most = max(self.most, size)
            return None
        if size <= self.good:
            return None  # a larger one passed
        if fields.get("lost"):
            if size <= self.most:
                self.most, self.silent, self.told = size - 1, True, {}
            return None
        if fields.get("unreachable") not in TOO_BIG and fields.get("rejected") != "EMSGSIZE":
            return fields
        mtu = fields.get("mtu") or 0
        bound = mtu if self.good <= mtu < size else size - 1  # some old router tells no number
        if bound <= self.most:
            self.most, self.told, self.silent = bound, fields, bound != mtu
        return None

    def _confirmed(self, size: int) -> Attempt[Fields]:
        """Try a size, and believe in silence only where it lasts."""
        fields = (yield from self._tried([size], self.timeout_s))[size]
        if not fields.get("lost"):
            return fields
        again = (yield from self._tried([size], self.timeout_s, AGAIN))[size]
        return again

    def _tried(self, sizes: list[int], timeout_s: float, copies: int = 1) -> Attempt[dict[int, Fields]]:
        """Send so many requests of each size, and wait for what becomes of one of them."""
        start = time.monotonic()
        pending: list[Echo] = []
        became: dict[int, Fields] = {}
        for echo in [Echo.new(self.dst, size) for size in sizes for _ in range(copies)]:
            if (refusal := sent_or_rejected(self.echo_socket, echo)) is not None:
                became[echo.size] = refusal
            else:
                pending.append(echo)
        while any(echo.size not in became for echo in pending):
            if not (yield Wait(self.echo_socket.sock, select.POLLIN, start + timeout_s)):
                break
            for answer in self.echo_socket.answers():
                for echo in pending:
                    if answer.is_to(echo):
                        became.setdefault(echo.size, answered(answer, since_ms(start)))
        return {size: became.get(size) or lost(start) for size in sizes}


def _between(good: int, most: int, at_once: int) -> list[int]:
    """Choose sizes above *good*, the largest of them *most* if there is room for two."""
    sizes = {good + -(-(most - good) * step // (at_once + 1)) for step in range(1, at_once + 1)}
    return sorted(size for size in sizes if good < size <= most)
