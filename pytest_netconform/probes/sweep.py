"""Ping from each of many hosts to each other: what `ping` does, ten thousand times over."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.probing.echoes import Echoes
from pytest_netconform.kernel.probing.icmp import NONCE, Answer, EchoSocket
from pytest_netconform.kernel.probing.sockets import Open, open_all
from pytest_netconform.probes.mesh import Mesh
from pytest_netconform.probes.neighbourhood import SMALLEST_BLOCK, Member, Neighbourhood, Pairs
from pytest_netconform.probes.ping import Ping, answered, size_of
from pytest_netconform.probes.sending import NOT_THE_PATH, check, named, since_ms

QUIET_S = 0.01
"""How long nothing must arrive before the neighbours of a block are forgotten."""
PATIENCE_S = 10.0
"""How long we try to find room for neighbours."""
Result = float | Ping


@dataclass
class Sweep:
    """Pings from every member to every other, with one timeout for all that are lost.

    Where the kernel's table of neighbours has no room for all of them at once they go block by block, and the
    neighbours of a block are forgotten before the next.

    Shape: *results* holds by source and destination the round trip in ms where the one that was asked
           replied, else what became of the ping.
    """

    members: Sequence[Member]
    size: int | None = None
    df: bool = False
    ttl: int | None = None
    source: str | None = None
    mark: int | None = None
    timeout_s: float = 1.0
    results: list[dict[int, Result]] = field(default_factory=list)
    _echoes: list[Echoes] = field(default_factory=list)
    _epoll: select.epoll = field(default_factory=select.epoll)
    _numbers: dict[int, int] = field(default_factory=dict)
    _sent: list[dict[int, float]] = field(default_factory=list)
    _doubtful: dict[tuple[int, int], float] = field(default_factory=dict)
    _size: int = 0
    _nonce: bytes = field(default_factory=lambda: os.urandom(NONCE))

    def run(self) -> Mesh:
        """Send everything and wait for the answers.

        Raises: ProbeError, also where the table of neighbours stays full.
        """
        with named(self._who):
            for dst in [each.address for each in self.members[:1]]:
                check(dst, source=self.source, ttl=self.ttl, mark=self.mark, timeout_s=self.timeout_s)
        everyone = range(len(self.members))
        self.results = [{} for _ in everyone]
        self._sent = [{} for _ in everyone]
        self._size = size_of(self._who, self._hood.version, self.size)
        with ExitStack() as stack:
            stack.callback(self._epoll.close)
            self._open(stack)
            before = self._hood.table()
            self._send_all()
            self._await_all()
            self._give_up()
            after = self._hood.table()
            if after.crowded and after.entries > before.entries:  # permanent ones are counted, too
                self._forget()
        return self._mesh()

    def _mesh(self) -> Mesh:
        names = [member.namespaces.name for member in self.members]
        numbers = {name: number for number, name in enumerate(names)}
        verdicts = {
            (names[source], names[destination]): "replied" if isinstance(result, float) else result.verdict
            for source, results in enumerate(self.results)
            for destination, result in results.items()
        }
        return Mesh("ping", names, verdicts, lambda pair: self._outcome(numbers[pair[0]], numbers[pair[1]]))

    def _outcome(self, source: int, destination: int) -> Ping:
        result = self.results[source][destination]
        if not isinstance(result, float):
            return result
        return self._ping(
            source, destination, replied=True, rtt_ms=result, by=self.members[destination].address
        )

    def _ping(self, source: int, destination: int, **fields: Any) -> Ping:
        return Ping(
            src=self.members[source].namespaces.name,
            dst=self.members[destination].address,
            size=self._size,
            df=self.df,
            ttl=self.ttl,
            source=self.source,
            mark=self.mark,
            **fields,
        )

    def _open(self, stack: ExitStack) -> None:
        wire = self._hood.wire
        wanted = [Open(each.namespaces, wire.family, socket.SOCK_RAW, wire.proto) for each in self.members]
        with named(self._who):
            socks = open_all(wanted)
            for number, (member, sock) in enumerate(zip(self.members, socks, strict=True)):
                stack.callback(sock.close)
                echo_socket = EchoSocket(member.namespaces, self._hood.version, sock)
                echo_socket.make_room(len(self.members))
                echo_socket.configure(df=self.df, ttl=self.ttl, mark=self.mark, source=self.source)
                self._echoes.append(Echoes(echo_socket, number, self._nonce, self._size))

    def _send_all(self) -> None:
        """Send block by block; then once more what we may have spoilt ourselves."""
        refused, blocks = self._hood.table().refused, self._hood.blocks()
        for block in blocks:
            self._send_block(block)
            if len(blocks) > 1:
                self._settle()
                self._forget(block)
        if self._hood.table().refused > refused:  # perhaps that of who should have replied
            self._doubt_all()
        self._send_again()

    def _send_again(self) -> None:
        """Send what is in doubt, in parts that should find room, for as long as that brings answers.

        Raises: ProbeError if there is no room for long.
        """
        deadline, crowded_out = time.monotonic() + PATIENCE_S, False
        if self._doubtful:
            self._forget()
        while self._doubtful and time.monotonic() < deadline:
            table = self._hood.table()
            part = list(self._doubtful)[: max(SMALLEST_BLOCK, table.room // 4)]
            for pair in part:
                del self._doubtful[pair]
            self._send_block(_grouped(part))
            self._await_all()
            crowded_out = not self._doubtful.keys().isdisjoint(part)
            if self._hood.table().refused > table.refused:
                self._doubt_all()
            elif sum(map(len, self._sent)) == len(part):  # this network is not only slow
                break
            self._give_up()
            self._forget(_grouped(part))
        if crowded_out and self._doubtful:
            raise ProbeError(f"{self._who}: {self._hood.table().said_full()}")
        for (source, destination), start in self._doubtful.items():
            self._sent[source].setdefault(destination, start)

    def _doubt_all(self) -> None:
        """Doubt that what has not been answered yet was lost on its way."""
        for source, sent in enumerate(self._sent):
            self._doubtful.update({(source, destination): start for destination, start in sent.items()})
            sent.clear()

    def _send_block(self, pairs: Pairs) -> None:
        for source, destinations in pairs:
            self._send(source, destinations)
            self._watch(source)
            if self._numbers:  # what comes late must not wait in its socket until all is sent
                self._take_arrived(self._epoll.poll(0))

    def _send(self, source: int, destinations: list[int]) -> None:
        """Send from one host; the kernel carries most requests there and back before it lets go of us."""
        echoes, results, sent = self._echoes[source], self.results[source], self._sent[source]
        clock, packed, sockaddrs = time.monotonic, self._hood.packed, self._hood.sockaddrs
        for destination in destinations:
            start = clock()
            try:
                echoes.send(destination, sockaddrs[destination])
            except OSError as error:
                if not self._sent_after_all(source, destination, error):
                    continue
            try:
                reply = echoes.reply()
            except OSError:
                reply = None
            if reply == (destination, packed[destination]):
                results[destination] = (clock() - start) * 1000
            else:
                sent[destination] = start
                if reply is not None:
                    self._note(source, reply[0], socket.inet_ntop(self._hood.wire.family, reply[1]))

    def _sent_after_all(self, source: int, destination: int, error: OSError) -> bool:
        """Try again while the errors are of earlier requests; else note our own kernel's refusal."""
        earlier = True
        while earlier:
            earlier = self._take(source)
            try:
                self._echoes[source].send(destination, self._hood.sockaddrs[destination])
            except OSError as again:
                error = again
            else:
                return True
        if error.errno == errno.ENOBUFS:
            self._doubtful[source, destination] = time.monotonic()
        elif error.errno in NOT_THE_PATH:
            name = self.members[source].namespaces.name
            raise ProbeError(f"{name}: ping {self.members[destination].address}: {error.strerror}") from error
        else:
            self._become(
                source, destination, rejected=errno.errorcode.get(error.errno or 0, str(error.errno))
            )
        return False

    def _take(self, source: int) -> bool:
        """Take all that has arrived at one host, replies and errors; say whether there was anything."""
        answers = self._echoes[source].socket.answers()
        for answer in answers:
            self._note_answer(source, answer)
        return bool(answers)

    def _take_arrived(self, arrived: list[tuple[int, int]]) -> None:
        for fd, _ in arrived:
            self._take(self._numbers[fd])

    def _note(self, source: int, destination: int, by: str) -> None:
        start = self._sent[source].pop(destination, None)
        if start is None:
            return
        rtt_ms = (time.monotonic() - start) * 1000
        if rtt_ms > self.timeout_s * 1000:
            self._become(source, destination, lost=True, waited_ms=rtt_ms)
        elif by == self.members[destination].address:
            self.results[source][destination] = rtt_ms
        else:
            self._become(source, destination, failed=f"answered by {by}", by=by, rtt_ms=rtt_ms)

    def _note_answer(self, source: int, answer: Answer) -> None:
        """Note an ICMP error, or a reply that came with one."""
        ident, destination = struct.unpack("!HH", answer.ident)
        if ident != source or answer.nonce not in (self._nonce, None):
            return
        if answer.error is None:
            self._note(source, destination, answer.by)
        elif (start := self._sent[source].pop(destination, None)) is not None:
            self._become(source, destination, **answered(answer, since_ms(start)))

    def _become(self, source: int, destination: int, **fields: Any) -> None:
        self.results[source][destination] = self._ping(source, destination, **fields)

    def _settle(self) -> None:
        """Take what arrives, until all is answered or nothing has come for a while."""
        deadline = time.monotonic() + self.timeout_s
        quiet_s = QUIET_S if any(self.results) else QUIET_S / 5  # where nobody answers, haste spoils nothing
        while any(self._sent) and (arrived := self._epoll.poll(quiet_s)) and time.monotonic() < deadline:
            self._take_arrived(arrived)

    def _watch(self, source: int) -> None:
        """Watch a host if it awaits replies; to watch all from the start would slow each ping down."""
        sock = self._echoes[source].socket.sock
        if self._sent[source] and sock.fileno() not in self._numbers:
            self._epoll.register(sock, select.EPOLLIN)
            self._numbers[sock.fileno()] = source

    def _await_all(self) -> None:
        """Take what arrives, until all is answered or the time of the last is over."""
        last = max((start for sent in self._sent for start in sent.values()), default=0.0)
        while any(self._sent) and (left_s := last + self.timeout_s - time.monotonic()) > 0:
            self._take_arrived(self._epoll.poll(left_s))

    def _give_up(self) -> None:
        for source, sent in enumerate(self._sent):
            for destination, start in sent.items():
                self._become(source, destination, lost=True, waited_ms=since_ms(start))
            sent.clear()

    def _forget(self, pairs: Pairs | None = None) -> None:
        """Have the kernel forget what these, or all, learned of each other; doubt what has no answer."""
        self._doubt_all()
        hood = self._hood
        for number in hood.forget_all() if pairs is None else hood.forget(pairs):
            self._echoes[number].socket.discard()  # the kernel tells who waited that nobody is there

    @cached_property
    def _hood(self) -> Neighbourhood:
        return Neighbourhood(self.members)

    @property
    def _who(self) -> str:
        return f"ping between {len(self.members)} hosts"


def _grouped(pairs: Sequence[tuple[int, int]]) -> Pairs:
    found: dict[int, list[int]] = {}
    for source, destination in pairs:
        found.setdefault(source, []).append(destination)
    return list(found.items())
