"""What every fabric stands on: nodes on a router's LAN, and a host outside, beyond that router.

    outside 198.51.100.2 ---- .1 router 192.0.2.1 ---- LAN ---- node1 192.0.2.11, node2 192.0.2.12, ...

The router knows the LAN and the outside, and no pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Annotated

from pytest_netconform.errors import BuildError, CommandFailed
from pytest_netconform.fabrics.base import Fabric
from pytest_netconform.kernel import syscalls
from pytest_netconform.kernel.processes.commands import SBIN
from pytest_netconform.kernel.rtnetlink import route_add
from pytest_netconform.nodes import Net, Node

LAN = IPv4Network("192.0.2.0/24")
OUTSIDE = IPv4Network("198.51.100.0/30")
FIRST_NODE = 11
Nodes = Annotated[int, range(1, 201)]
Mtu = Annotated[int, range(68, 65536)]
PROGRAMS = Path(__file__).parent / "programs"
PROGRAMS_IN_A_NODE = Path("/run/netconform/programs")


def build_underlay(net: Net, kind: str, nodes: int, mtu: int) -> Fabric:
    """Build router, outside and nodes, whose eth0 is wired and has no address yet."""
    fabric = Fabric(kind)
    router, outside = net.netns("router"), net.netns("outside")
    made = [net.node(f"node{number}") for number in range(1, nodes + 1)]
    _, eth0 = net.veth(router, outside, ifnames=("wan", "eth0"), subnet=str(OUTSIDE), mtu=mtu)
    outside.rtnetlink.do(route_add("default", eth0, via=str(OUTSIDE[1])))
    lan = net.bridge(router, "lan", addr=f"{LAN[1]}/{LAN.prefixlen}", mtu=mtu)
    lan.attach(*(net.veth(node, router, ifnames=("eth0", node.name), mtu=mtu)[1] for node in made))
    router.sysctl["net.ipv4.ip_forward"] = 1
    for number, node in enumerate(made):
        fabric.add(node.name, node, str(LAN[FIRST_NODE + number]))
    fabric.add("router", router, str(LAN[1]))
    fabric.add("outside", outside, str(OUTSIDE[2]))
    return fabric


def furnish(node: Node, files: Mapping[str, str]) -> None:
    """Give a node our programs, on its PATH, and files."""
    node.call(_install, {path.name: path.read_text() for path in PROGRAMS.iterdir()})
    for path, text in files.items():
        node.write(path, text)


def start(nodes: Iterable[Node], command: str) -> None:
    """Run a command on all nodes at once, and wait until each has ended.

    Raises: CommandFailed.
    """
    running = [(node, node.popen(command, stdout=PIPE, stderr=STDOUT)) for node in nodes]
    for node, process in running:
        said, _ = process.communicate()
        if process.returncode:
            raise CommandFailed(node.name, command, process.returncode, said, "")


def network_files(address: str, mtu: int) -> dict[str, str]:
    """Give what configures a node's eth0, and forwarding, as its installer wrote it."""
    scripts = "/etc/sysconfig/network-scripts"
    return {
        "/etc/sysconfig/network": "NETWORKING=yes\nNOZEROCONF=yes\n",
        f"{scripts}/ifcfg-lo": "DEVICE=lo\nIPADDR=127.0.0.1\nNETMASK=255.0.0.0\nONBOOT=yes\n",
        f"{scripts}/ifcfg-eth0": (
            "DEVICE=eth0\nTYPE=Ethernet\nBOOTPROTO=none\nONBOOT=yes\n"
            f"IPADDR={address}\nPREFIX={LAN.prefixlen}\nGATEWAY={LAN[1]}\nMTU={mtu}\n"
        ),
        "/etc/sysctl.d/90-forwarding.conf": "net.ipv4.ip_forward = 1\n",
    }


def _install(programs: Mapping[str, str]) -> None:
    """Lay programs over a directory of the PATH, whose own programs stay; the host's files do not change.

    They are copied, for a node need not see the directory that we are installed in.
    """
    PROGRAMS_IN_A_NODE.mkdir(parents=True)
    for name, text in programs.items():
        path = PROGRAMS_IN_A_NODE / name
        path.write_text(text)
        path.chmod(0o755)
    place = next(place for place in SBIN if Path(place).is_dir())
    try:
        syscalls.mount(
            "overlay", place, "overlay", syscalls.MS_RDONLY, f"lowerdir={PROGRAMS_IN_A_NODE}:{place}"
        )
    except OSError as error:
        raise BuildError(f"a fabric's programs cannot be laid over a node's {place}: {error}") from error
