"""Which kinds of devices this kernel can make: found by making one, never by a version."""

from __future__ import annotations

from contextlib import closing
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.making.fresh import make_netns
from pytest_netconform.kernel.rtnetlink import Request, link_add, vlan_add, vxlan_add
from pytest_netconform.kernel.rtsocket import Rtnetlink


class _Dev(NamedTuple):
    ifname: str
    ifindex: int


BELOW, NAME = _Dev("below", 1000), "tried"
ASKED: dict[str, Request] = {
    **{kind: link_add(NAME, kind, link=BELOW) for kind in ("macvlan", "macvtap", "ipvlan", "ipvtap")},
    "vlan": vlan_add(NAME, BELOW, 10),
    "vxlan": vxlan_add(NAME, 10, dstport=4789),
}
"""How the kinds are asked for that cannot be made by their name alone."""


def supports(kind: str) -> bool:
    """Ask whether this kernel can make devices of a kind, such as `vlan` or `dummy`; tried once per process.

    Needs:  CAP_SYS_ADMIN, CAP_NET_ADMIN.
    Raises: BuildError where not even a namespace can be made.
    """
    return lacking(kind) is None


@cache
def lacking(kind: str) -> str | None:
    """Say in the kernel's words why devices of a kind cannot be made; None where they can."""
    with closing(make_netns(["tried"])[0]) as namespaces, closing(Rtnetlink(namespaces)) as rtnetlink:
        if kind in ASKED:
            rtnetlink.do(link_add(BELOW.ifname, "veth", index=BELOW.ifindex))
        try:
            rtnetlink.do(ASKED.get(kind) or link_add(NAME, kind))
        except BuildError as error:
            return f"this kernel makes no {kind} devices: {str(error).rpartition(f'type {kind}: ')[2]}"
    return None


def neigh_limit(version: int) -> int | None:
    """Read how many neighbours that are not permanent the kernel keeps, for all namespaces together.

    Shape: None where that cannot be read, which is so in every namespace but the first.
    """
    try:
        return int(Path(f"/proc/sys/net/ipv{version}/neigh/default/gc_thresh3").read_text())
    except OSError:
        return None


def require(kind: str) -> None:
    """Insist on a kind of device.

    Raises: BuildError with the reason.
    """
    if reason := lacking(kind):
        raise BuildError(reason)
