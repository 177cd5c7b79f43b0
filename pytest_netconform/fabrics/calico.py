"""Calico without encapsulation: pods behind cali* veths, blocks routed from node to node as BIRD does."""

from __future__ import annotations

import json
from hashlib import sha1
from ipaddress import IPv4Network
from typing import Annotated

from pytest_netconform.fabrics.base import Fabric, Kind
from pytest_netconform.fabrics.underlay import (
    Mtu,
    Nodes,
    build_underlay,
    furnish,
    network_files,
    start,
)
from pytest_netconform.kernel.rtnetlink import link_set, route_add
from pytest_netconform.nodes import Net, Netns, Node

POOL = IPv4Network("10.244.0.0/16")
BLOCK_PREFIXLEN = 26
Pods = Annotated[int, range(63)]
GATEWAY = "169.254.1.1"
MAC = "ee:ee:ee:ee:ee:ee"
PROFILE = "kns.default"


def build_calico(net: Net, *, nodes: Nodes = 2, pods: Pods = 1, mtu: Mtu = 1500) -> Fabric:
    """Calico, unencapsulated: /32 pods behind cali* veths, proxy ARP, routes by BIRD, masquerade.

    Units: mtu is that of every link; pods are those of each node.
    """
    fabric = build_underlay(net, "calico", nodes, mtu)
    for number, node in enumerate(list(fabric.nodes.values()), start=1):
        for pod in range(1, pods + 1):
            name = f"{node.name}/pod{pod}"
            fabric.add(name, _pod(net, node, name, str(block(number)[pod]), mtu), str(block(number)[pod]))
    for node in fabric.nodes.values():
        furnish(
            node,
            {**network_files(fabric.address(node.name), mtu), **_datastore(fabric), **_files(node.name, mtu)},
        )
    start(fabric.nodes.values(), "network-service start && calico-node start")
    return fabric


KIND = Kind("calico", build_calico)


def block(number: int) -> IPv4Network:
    """Give the block of addresses of the node of that number."""
    return IPv4Network((int(POOL.network_address) + (number << 8), BLOCK_PREFIXLEN))


def interface(pod: str) -> str:
    """Name the host's end of a pod's veth, as Calico's CNI plugin does."""
    return "cali" + sha1(f"default.{pod.replace('/', '-')}".encode()).hexdigest()[:11]


def _pod(net: Net, node: Node, name: str, address: str, mtu: int) -> Netns:
    """Attach a pod as the CNI plugin does."""
    pod = net.netns(name)
    host, eth0 = net.veth(
        node, pod, ifnames=(interface(name), "eth0"), addrs=(None, f"{address}/32"), mtu=mtu
    )
    node.rtnetlink.do(link_set(host, address=MAC))
    pod.rtnetlink.do(route_add(GATEWAY, eth0), route_add("default", eth0, via=GATEWAY))
    return pod


def _datastore(fabric: Fabric) -> dict[str, str]:
    """Give what all nodes know of the cluster."""
    blocks = (
        f"{block(number)} {name} {fabric.address(name)}" for number, name in enumerate(fabric.nodes, start=1)
    )
    endpoints = (
        f"{pod.partition('/')[0]} {interface(pod)} {fabric.address(pod)} {PROFILE}" for pod in fabric.pods
    )
    tables = {"ippools": [f"{POOL} true"], "blocks": blocks, "workloadendpoints": endpoints}
    return {
        f"/etc/calico/datastore/{name}": "".join(f"{line}\n" for line in lines)
        for name, lines in tables.items()
    }


def _files(node: str, mtu: int) -> dict[str, str]:
    """Give what the kubelet's and Calico's installers leave on a node."""
    return {
        "/var/lib/calico/nodename": node,
        "/etc/cni/net.d/10-calico.conflist": json.dumps(_conflist(node, mtu), indent=2),
        "/etc/kubernetes/kubelet.conf": "apiVersion: v1\nkind: Config\n",
        "/var/lib/kubelet/config.yaml": (
            "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
            "clusterDNS:\n- 10.96.0.10\nclusterDomain: cluster.local\n"
        ),
    }


def _conflist(node: str, mtu: int) -> dict[str, object]:
    calico = {
        "type": "calico",
        "datastore_type": "kubernetes",
        "nodename": node,
        "mtu": mtu,
        "ipam": {"type": "calico-ipam"},
        "policy": {"type": "k8s"},
    }
    portmap = {"type": "portmap", "snat": True, "capabilities": {"portMappings": True}}
    return {"name": "k8s-pod-network", "cniVersion": "0.3.1", "plugins": [calico, portmap]}
