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


MODULES = {
    "dummy": "dummy numdummies=0",
    "ifb": "ifb numifbs=0",
    "bond": "bonding max_bonds=0",
    "ipip": "ipip",
    **dict.fromkeys(("gre", "gretap", "erspan"), "ip_gre"),
    "sit": "sit",
    "ip6tnl": "ip6_tunnel",
    **dict.fromkeys(("ip6gre", "ip6gretap", "ip6erspan"), "ip6_gre"),
}
"""Modules that make devices in the host's namespace when they are loaded, and how to have them make none.

To ask the kernel for such a device is to have it load them; a kernel that has them built in lists them, too.
"""


def supports(kind: str) -> bool:
    """Ask whether this kernel can make devices of a kind, such as `vlan` or `dummy`; tried once per process.

    Needs:  CAP_SYS_ADMIN, CAP_NET_ADMIN.
    Raises: BuildError where not even a namespace can be made.
    """
    return lacking(kind) is None


@cache
def lacking(kind: str) -> str | None:
    """Say in the kernel's words why devices of a kind cannot be made; None where they can."""
    if how := MODULES.get(kind):
        module = how.split()[0]
        if not Path("/sys/module", module).exists():
            return (
                f"this kernel makes no {kind} devices: the module {module} is not loaded, and would make some"
                f" of its own in the host's namespace; modprobe {how}"
            )
    with closing(make_netns(["tried"])[0]) as namespaces, closing(Rtnetlink(namespaces)) as rtnetlink:
        if kind in ASKED:
            rtnetlink.do(link_add(BELOW.ifname, "veth", index=BELOW.ifindex))
        try:
            rtnetlink.do(ASKED.get(kind) or link_add(NAME, kind))
        except BuildError as error:
            return f"this kernel makes no {kind} devices: {str(error).rpartition(f'type {kind}: ')[2]}"
    return None


def require(kind: str) -> None:
    """Insist on a kind of device.

    Raises: BuildError with the reason.
    """
    if reason := lacking(kind):
        raise BuildError(reason)
