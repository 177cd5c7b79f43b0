"""Names of sysctls, in either form."""

from __future__ import annotations

import pytest

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.sysctls import path_of


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0.rp_filter", "net/ipv4/conf/eth0/rp_filter"),
        ("net.ipv4.conf.eth0.5.rp_filter", "net/ipv4/conf/eth0.5/rp_filter"),
        ("net/ipv4/conf/eth0.5/rp_filter", "net/ipv4/conf/eth0.5/rp_filter"),
        ("net.ipv4.conf.eth0/5.rp_filter", "net/ipv4/conf/eth0.5/rp_filter"),
        ("net.ipv6.conf.a.b.c.forwarding", "net/ipv6/conf/a.b.c/forwarding"),
        ("net.ipv4.neigh.eth0.5.proxy_delay", "net/ipv4/neigh/eth0.5/proxy_delay"),
        ("net.netfilter.nf_conntrack_max", "net/netfilter/nf_conntrack_max"),
        ("vm.swappiness", "vm/swappiness"),
    ],
)
def test_a_name_leads_to_its_path(name: str, path: str) -> None:
    assert path_of(name) == path


@pytest.mark.parametrize(
    "name", ["", ".", "/net/ipv4", "net..ipv4", "net/../vm/swappiness", "net.ipv4.", "net/"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BuildError, match="is not the name of a sysctl"):
        path_of(name)
