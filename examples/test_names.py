"""A name server, as a pod sees it."""

from __future__ import annotations

import shutil

import pytest

DNSMASQ = (
    "dnsmasq --keep-in-foreground --log-facility=- --no-resolv --no-hosts --addn-hosts=/run/names --user=root"
)


@pytest.mark.skipif(shutil.which("dnsmasq") is None, reason="needs dnsmasq")
def test_names_are_served_and_read_again(node, netns, veth):
    server, pod = node("server"), netns("pod")
    veth(server, pod, subnet="10.96.0.0/24")
    server.write("/run/names", "10.96.0.7 web.cluster.local\n")
    with server.daemon(DNSMASQ, ready="udp/53") as dnsmasq:
        assert pod.dns(server, "web.cluster.local").answers == ("10.96.0.7",)
        assert pod.dns(server, "no.cluster.local").rcode in ("NXDOMAIN", "REFUSED")
        server.write("/run/names", "10.96.0.8 web.cluster.local\n")
        dnsmasq.reload()
        dnsmasq.await_output("read /run/names")
        assert pod.dns(server, "web.cluster.local").answers == ("10.96.0.8",)
    assert pod.dns(server, "web.cluster.local").refused
