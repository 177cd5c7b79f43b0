"""DNS: one question to one server, and its answer."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.driving import Attempt
from pytest_netconform.kernel.probing.sockets import Open
from pytest_netconform.probes.sending import Aim, Fields, PortOutcome, lost, named, since_ms
from pytest_netconform.probes.streams import (
    Connection,
    TimeOver,
    abort_at_close,
    broken_by,
    connecting,
    leave_at_close,
)
from pytest_netconform.probes.udp import asking

if TYPE_CHECKING:
    from dns.message import Message

OVER = ("udp", "tcp")
LARGEST_UDP = 1232
"""What a server may send in one datagram; what exceeds a path of 1280 bytes comes in pieces."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Dns(PortOutcome):
    """The outcome of one question. Whatever the server's verdict, NXDOMAIN and SERVFAIL too, it replied.

    Shape: *rcode* is `NOERROR`, `NXDOMAIN`, ...; *answers* are those of the type that was asked for, as text;
           *truncated* means that there are more, for who asks over TCP.
    """

    name: str
    type: str = "A"
    over: str = "udp"
    rcode: str | None = None
    answers: tuple[str, ...] = ()
    truncated: bool = False

    def _to(self) -> str:
        return f"{self.dst} port {self.port}, {self.name} {self.type}"

    def _said(self) -> str:
        said = PortOutcome._said(self)
        found = " ".join(self.answers) or "no answer"
        return f"{said}, {self.rcode}, {found}" if self.replied else said


def dns(
    namespaces: Namespaces,
    server: str,
    name: str,
    type: str = "A",
    *,
    port: int = 53,
    over: str = "udp",
    ttl: int | None = None,
    source: str | None = None,
    mark: int | None = None,
    timeout_s: float = 1.0,
) -> Attempt[Dns]:
    """Ask a server for a name, once; what it says of it is for the caller to judge.

    Shape:  *type* is `A`, `AAAA`, `SRV`, ...; *over* is `udp` or `tcp`; *name* stands for itself, and no
            search list adds to it; *source* is one of our addresses, or a device to be sent through.
    Raises: ProbeError for what has nothing to do with the path, a name that cannot be asked for among it.
    Source: RFC 1035, RFC 7766.
    """
    aim = Aim(dst=server, port=port, ttl=ttl, source=source, mark=mark)
    sent: dict[str, Any] = {"src": namespaces.name, "dst": server, "port": port, "ttl": ttl, "source": source}
    sent |= {"mark": mark, "name": name, "type": type, "over": over}
    with named(f"{namespaces.name}: dns {name} {type} of {server} port {port}"):
        aim.check(timeout_s)
        query = _query(name, type, over)
        kind = socket.SOCK_DGRAM if over == "udp" else socket.SOCK_STREAM
        with (yield Open(namespaces, aim.wire.family, kind)) as sock:
            if over == "udp":
                fields = yield from asking(
                    sock, aim, query.to_wire(), timeout_s, lambda data: read_datagram(query, data)
                )
            else:
                fields = yield from _asked_over_tcp(sock, aim, query, timeout_s)
            return Dns(**sent, **fields)


def _query(name: str, type: str, over: str) -> Message:
    import dns.exception
    import dns.message

    if over not in OVER:
        raise ProbeError(f"expected over to be udp or tcp, not {over!r}")
    try:
        return dns.message.make_query(name, type, use_edns=0, payload=LARGEST_UDP)
    except (dns.exception.DNSException, ValueError) as error:
        raise ProbeError(f"cannot be asked for: {error or error.__class__.__name__}") from error


def _asked_over_tcp(sock: socket.socket, aim: Aim, query: Message, timeout_s: float) -> Attempt[Fields]:
    start = time.monotonic()
    failed = yield from connecting(sock, aim, start + timeout_s)
    if failed is not None:
        return failed
    abort_at_close(sock)
    connection = Connection(sock, start + timeout_s)
    try:
        yield from connection.send(query.to_wire(prepend_length=True))
        data = yield from _message(connection)
    except TimeOver:
        return lost(start)
    except OSError as error:
        return broken_by(error, sock, aim, start)
    fields = {"failed": "connection closed"} if data is None else read_answer(query, data)
    leave_at_close(sock)
    replied = {} if "failed" in fields else {"replied": True}
    return {**replied, "by": aim.dst.partition("%")[0], "rtt_ms": since_ms(start), **fields}


def _message(connection: Connection) -> Attempt[bytes | None]:
    """Take one message with its length before it; nothing, if the stream ends before."""
    taken = b""
    while len(taken) < 2 or len(taken) < 2 + struct.unpack_from("!H", taken)[0]:
        piece = yield from connection.receive()
        if not piece:
            return None
        taken += piece
    return taken[2 : 2 + struct.unpack_from("!H", taken)[0]]


def read_datagram(query: Message, data: bytes) -> Fields | None:
    """Read an answer; gives nothing for what is none to this question, which may be anybody's."""
    if len(data) < 2 or struct.unpack_from("!H", data)[0] != query.id:
        return None
    return read_answer(query, data)


def read_answer(query: Message, data: bytes) -> Fields:
    """Read an answer, whatever its bytes are."""
    import dns.exception
    import dns.flags
    import dns.message
    import dns.rcode
    import dns.rdatatype

    try:
        message = dns.message.from_wire(data, ignore_trailing=True)
        if not query.is_response(message):
            return {"failed": "malformed answer: it is one to another question"}
        asked = query.question[0].rdtype
        rrsets = [rrset for rrset in message.answer if asked in (rrset.rdtype, dns.rdatatype.ANY)]
        answers = [rdata.to_text() for rrset in rrsets for rdata in rrset]
        rcode = dns.rcode.to_text(message.rcode())
    except (dns.exception.DNSException, ValueError) as error:
        return {"failed": f"malformed answer: {error or error.__class__.__name__}"}
    return {"rcode": rcode, "answers": tuple(answers), "truncated": bool(message.flags & dns.flags.TC)}
