"""Sysctls by name and path, and what of them applies to each interface."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.netconf import Netconf, parse_netconf
from pytest_netconform.facts.sysctls import Sysctl, parse_sysctl_dump, to_name, to_path

NODE = Path(__file__).parents[1] / "data/flannel-cluster/vxlan/node1/self"
PARTS = st.text("abz0_-.", min_size=1, max_size=6).filter(lambda part: part.strip("."))


@pytest.mark.parametrize(
    ("written", "path", "name"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        (
            "net.ipv4.conf.eth0/5.forwarding",
            "net/ipv4/conf/eth0.5/forwarding",
            "net.ipv4.conf.eth0/5.forwarding",
        ),
        (
            "net/ipv4/conf/eth0.5/forwarding",
            "net/ipv4/conf/eth0.5/forwarding",
            "net.ipv4.conf.eth0/5.forwarding",
        ),
        ("/net//ipv4/./ip_forward", "net/ipv4/ip_forward", "net.ipv4.ip_forward"),
    ],
)
def test_a_name_may_be_written_with_dots_or_slashes(written: str, path: str, name: str) -> None:
    assert to_path(written) == path
    assert to_name(path) == name


@given(st.lists(PARTS, min_size=1, max_size=4).map(lambda parts: "/".join(["net", *parts])))
def test_a_name_leads_back_to_its_path(path: str) -> None:
    assert to_path(to_name(path)) == path


def test_a_dump_is_read_with_and_without_its_root() -> None:
    dumped = "/proc/sys/net/ipv4/ip_forward:1\nnet/ipv4/conf/eth0.5/forwarding:0\nnet/x/y:a:b\n"
    assert parse_sysctl_dump(dumped) == {
        "net/ipv4/ip_forward": "1", "net/ipv4/conf/eth0.5/forwarding": "0", "net/x/y": "a:b",
    }  # fmt: skip


def test_lines_of_one_value_are_joined_and_what_grep_says_is_left_out() -> None:
    dumped = "dev/cdrom/info:CD-ROM\ndev/cdrom/info:drive\ngrep: net/x: Permission denied\n\n"
    assert parse_sysctl_dump(dumped) == {"dev/cdrom/info": "CD-ROM\ndrive"}


@pytest.mark.parametrize(
    "line", ["junk", ":1", "no slash:1", "net.ipv4.ip_forward = 1", "/etc/passwd:root", "a b/c:1"]
)
def test_a_line_that_is_no_value_is_unreadable(line: str) -> None:
    with pytest.raises(Unreadable, match=r"^2: expected"):
        parse_sysctl_dump(f"net/ipv4/ip_forward:1\n{line}")


def test_a_sysctl_is_named_as_sysctl_prints_it_and_its_numbers_stand_apart_by_one_blank() -> None:
    assert Sysctl.at("net/ipv4/ip_local_port_range", "32768\t60999\n") == Sysctl(
        "net.ipv4.ip_local_port_range", "32768 60999"
    )
    assert Sysctl.at("net/ipv4/ip_forward", "1").caption() == "net.ipv4.ip_forward"


def netconf(family: str, **settings: str) -> Netconf:
    """Put together what applies to eth0; keys are `all_x` and `own_x`, of which what `all` lacks is 0."""
    directory = f"net/{'ipv4' if family == 'inet' else 'ipv6'}/conf"
    places = {"all": "all", "own": "eth0.5"}
    values = {
        f"{directory}/{places[place]}/{key}": value
        for name, value in settings.items()
        for place, _, key in [name.partition("_")]
    }
    everywhere = {f"{directory}/all/{name.partition('_')[2]}": "0" for name in settings}
    lo = {"net/ipv4/conf/default/rp_filter": "7", f"{directory}/default/rp_filter": "7"}
    (row,) = parse_netconf(everywhere | values | lo)
    return row


@pytest.mark.parametrize("everywhere", [0, 1, 2])
@pytest.mark.parametrize("own", [0, 1, 2])
def test_rp_filter_applies_as_the_larger_of_all_and_own(everywhere: int, own: int) -> None:
    row = netconf("inet", all_rp_filter=str(everywhere), own_rp_filter=str(own))
    assert (row.ifname, row.rp_filter) == ("eth0.5", max(everywhere, own))


@pytest.mark.parametrize(
    ("key", "neither", "all_only", "own_only", "together"),
    [
        ("forwarding", False, False, True, True),
        ("mc_forwarding", False, False, False, True),
        ("bc_forwarding", False, False, False, True),
        ("proxy_arp", False, True, True, True),
        ("route_localnet", False, True, True, True),
        ("accept_local", False, True, True, True),
        ("send_redirects", False, True, True, True),
        ("log_martians", False, True, True, True),
        ("accept_source_route", False, False, False, True),
        ("src_valid_mark", False, True, True, True),
        ("ignore_routes_with_linkdown", False, False, True, True),
        ("accept_redirects", False, True, True, True),
    ],
)
def test_all_and_own_combine_as_the_kernel_combines_them(
    key: str, neither: bool, all_only: bool, own_only: bool, together: bool
) -> None:
    wanted = {("0", "0"): neither, ("1", "0"): all_only, ("0", "1"): own_only, ("1", "1"): together}
    for (everywhere, own), applies in wanted.items():
        row = netconf("inet", **{f"all_{key}": everywhere, f"own_{key}": own})
        assert getattr(row, key) is applies


def test_a_router_accepts_redirects_only_where_all_does_too() -> None:
    row = netconf("inet", own_forwarding="1", own_accept_redirects="1", all_accept_redirects="0")
    assert row.accept_redirects is False


def test_proxy_neigh_is_proxy_arp_or_proxy_ndp() -> None:
    assert netconf("inet", own_proxy_arp="1").proxy_neigh is True
    assert netconf("inet6", own_proxy_ndp="0", all_proxy_ndp="1").proxy_neigh is True
    assert netconf("inet6", own_accept_ra="2").proxy_neigh is None


def test_ipv6_forwards_by_all_whatever_the_interface_says() -> None:
    assert netconf("inet6", all_forwarding="1", own_forwarding="0").forwarding is True
    assert netconf("inet6", all_forwarding="0", own_forwarding="1").forwarding is False
    assert netconf("inet6", own_forwarding="0", own_force_forwarding="1").forwarding is True


def test_ipv6_is_disabled_by_the_interface_alone_and_its_own_keys_apply() -> None:
    row = netconf("inet6", all_disable_ipv6="1", own_disable_ipv6="0", own_accept_ra="2")
    assert (row.disable_ipv6, row.accept_ra, row.rp_filter) == (False, 2, None)
    assert netconf("inet6", own_accept_redirects="1", own_forwarding="1").accept_redirects is False


def test_a_real_node_has_a_row_per_family_and_interface() -> None:
    rows = parse_netconf(parse_sysctl_dump((NODE / "sysctl.txt").read_text()))
    names = {"lo", "eth0", "flannel.1", "cni0", "vethaf6a8130", "vethe5e19078"}
    assert {(row.family, row.ifname) for row in rows} == {
        (f, name) for f in ("inet", "inet6") for name in names
    }
    inet = [row for row in rows if row.family == "inet"]
    assert all(row.forwarding and row.route_localnet and row.rp_filter == 0 for row in inet)
    assert next(row for row in inet if row.ifname == "eth0").caption() == "eth0"


def test_a_value_that_is_no_number_is_unreadable_and_named() -> None:
    with pytest.raises(Unreadable, match="net/ipv4/conf/eth0/rp_filter: expected a whole number, got 'x'"):
        parse_netconf({"net/ipv4/conf/eth0/rp_filter": "x"})


@pytest.mark.parametrize("key", ["rp_filter", "proxy_arp", "accept_redirects"])
def test_what_applies_is_not_known_where_what_all_says_is_not(key: str) -> None:
    with pytest.raises(Unreadable, match=f"what conf/all/{key} says is not known"):
        parse_netconf({f"net/ipv4/conf/eth0/{key}": "0", "net/ipv4/conf/all/forwarding": "1"})
    with pytest.raises(Unreadable, match="what conf/all/forwarding says is not known"):
        parse_netconf({"net/ipv4/conf/lo/forwarding": "0", "net/ipv6/conf/eth0/forwarding": "0"})


def test_a_node_without_any_conf_is_one_that_could_not_be_read() -> None:
    with pytest.raises(Unreadable, match="net/ipv4/conf: holds no interface"):
        parse_netconf({})
