"""TCP: one connection, made and closed again."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Any

from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.probing.driving import Attempt
from pytest_netconform.kernel.probing.sockets import Open
from pytest_netconform.probes.sending import Aim, PortOutcome, named, since_ms
from pytest_netconform.probes.streams import abort_at_close, connecting, leave_at_close


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Tcp(PortOutcome):
    """The outcome of one attempt to connect."""


def tcp(
    namespaces: Namespaces,
    dst: str,
    port: int,
    *,
    ttl: int | None = None,
    source: str | None = None,
    sport: int | None = None,
    mark: int | None = None,
    timeout_s: float = 1.0,
) -> Attempt[Tcp]:
    """Connect to a port and say what became of it; the connection is closed at once.

    Shape:  *source* is one of our addresses, or a device to be sent through; *sport* is our port.
    Raises: ProbeError for what has nothing to do with the path (no descriptor left, no such device).
            What our own firewall drops (DROP in OUTPUT) is lost, for TCP keeps that to itself.
    Needs:  CAP_NET_ADMIN for a mark; CAP_NET_RAW for a device, before Linux 5.7.
    """
    aim = Aim(dst=dst, port=port, ttl=ttl, source=source, sport=sport, mark=mark)
    sent: dict[str, Any] = {"src": namespaces.name, "dst": dst, "port": port, "ttl": ttl, "source": source}
    with named(f"{namespaces.name}: tcp {dst} port {port}"):
        aim.check(timeout_s)
        with (yield Open(namespaces, aim.wire.family, socket.SOCK_STREAM)) as sock:
            start = time.monotonic()
            ended = yield from connecting(sock, aim, start + timeout_s)
            fields = ended or {"replied": True, "by": dst.partition("%")[0], "rtt_ms": since_ms(start)}
            if ended is None and sport is None:
                leave_at_close(sock)
            elif ended is None:
                abort_at_close(sock)  # else the next one from that port would have to wait for a minute
            return Tcp(**sent, sport=sport, mark=mark, **fields)
