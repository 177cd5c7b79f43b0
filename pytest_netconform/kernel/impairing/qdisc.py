"""A token bucket at a device's root, which is how Linux makes a link slow.

Source: tc-tbf(8); include/uapi/linux/pkt_sched.h.
"""

from __future__ import annotations

import struct

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.impairing.ends import End
from pytest_netconform.kernel.netlink import ATTRIBUTE, attribute

RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC = 36, 37, 38
TC_H_ROOT, HANDLE = 0xFFFF_FFFF, 0x4E43_0000
NLM_F_REPLACE, NLM_F_CREATE = 0x100, 0x400
TCA_KIND, TCA_OPTIONS, TCA_TBF_PARMS, TCA_TBF_RATE64, TCA_TBF_BURST, TC_LINKLAYER_ETHERNET = 1, 2, 1, 4, 6, 1
LOWEST_BURST = 4
"""In milliseconds of the rate: less is not reached where the kernel's clock ticks 250 times a second."""
TCMSG = struct.Struct("=4xiIII")


def root_qdisc(end: End) -> str | None:
    """Name the qdisc at a device's root; None for the kernel's own choice."""
    for message in end.netlink.ask(RTM_GETQDISC, TCMSG.pack(end.ifindex, 0, 0, 0)):
        ifindex, handle, parent, _ = TCMSG.unpack_from(message.body)
        if (ifindex, parent) == (end.ifindex, TC_H_ROOT) and handle:
            return (
                f"{attribute(message.body, TCMSG.size, TCA_KIND).rstrip(bytes(1)).decode()} {handle >> 16:x}:"
            )
    return None


def set_rate(end: End, kbit: float, queue_ms: float) -> None:
    """Have a device send no faster than this; a longer queue than *queue_ms* of it is dropped.

    Raises: BuildError.
    """
    per_second = max(1, round(kbit * 125))
    burst = max(end.state().mtu + 18, per_second * LOWEST_BURST // 1000)
    limit = burst + max(end.state().mtu + 18, round(per_second * queue_ms / 1000))
    spec = struct.pack("=BBHhHI", 0, TC_LINKLAYER_ETHERNET, 0, 0, 0, min(per_second, 0xFFFF_FFFF))
    parms = spec + bytes(12) + struct.pack("=III", min(limit, 0xFFFF_FFFF), 0, 0)
    options = _attribute(TCA_TBF_PARMS, parms) + _attribute(TCA_TBF_BURST, struct.pack("=I", burst))
    if per_second > 0xFFFF_FFFF:
        options += _attribute(TCA_TBF_RATE64, struct.pack("=Q", per_second))
    body = TCMSG.pack(end.ifindex, HANDLE, TC_H_ROOT, 0)
    body += _attribute(TCA_KIND, b"tbf\0") + _attribute(TCA_OPTIONS, options)
    _done(end, (RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, body), f"rate {kbit:g} kbit")


def unset_rate(end: End) -> None:
    """Have the kernel choose the device's qdisc again.

    Raises: BuildError.
    """
    _done(end, (RTM_DELQDISC, 0, TCMSG.pack(end.ifindex, HANDLE, TC_H_ROOT, 0)), "rate as before")


def _done(end: End, request: tuple[int, int, bytes], what: str) -> None:
    for refusal in end.netlink.execute([request]):
        raise BuildError(f"{end}: {what}: {refusal}")


def _attribute(kind: int, value: bytes) -> bytes:
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)
