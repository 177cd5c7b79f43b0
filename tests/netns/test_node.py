"""A node is a machine of its own, and its host does not notice."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.making.mounts import ABSENT_ETC
from pytest_netconform.nodes import Net, Netns, Node

NodeMaker = Callable[[str], Node]
SYSTEMD_SYSCTL = next(
    filter(os.path.exists, ("/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl")), ""
)


@pytest.mark.parametrize(
    "place", ["/etc", "/etc/ssh", "/etc/sysctl.d", "/run", "/var/lib", "/var/log", "/run/sysctl.d"]
)
def test_what_a_node_writes_stays_in_it(node: NodeMaker, place: str) -> None:
    one, other = node("one"), node("other")
    one.run(f"mkdir -p {place} && echo x > {place}/netconform-test && echo y >> {place}/netconform-test")
    assert one.read(f"{place}/netconform-test") == "x\ny\n"
    for elsewhere in (other.call, lambda fn: fn()):
        assert not elsewhere(Path(place, "netconform-test").exists)


def test_a_node_may_change_and_remove_what_the_host_has_in_etc(node: NodeMaker) -> None:
    before = Path("/etc/passwd").read_bytes(), sorted(os.listdir("/etc"))  # noqa: PTH208
    one = node("one")
    assert one.run("stat -f -c %T /etc").stdout == "overlayfs\n"
    one.run("echo x >> /etc/passwd && rm -r /etc/ssl /etc/hostname && mv /etc/group /etc/groups")
    assert before == (Path("/etc/passwd").read_bytes(), sorted(os.listdir("/etc")))  # noqa: PTH208


def test_directories_of_agents_can_be_made(node: NodeMaker) -> None:
    one = node("one")
    one.run("mkdir -p /var/lib/kubelet /etc/cni/net.d /run/flannel /etc/kubernetes")
    one.write("/run/flannel/subnet.env", "FLANNEL_MTU=1450\n")
    assert one.run("cat /run/flannel/subnet.env").stdout == "FLANNEL_MTU=1450\n"
    assert not Path("/run/flannel").exists()


def test_a_node_does_not_look_like_its_host(node: NodeMaker) -> None:
    there = node("one").call(lambda: [name for name in ABSENT_ETC if os.path.lexists(f"/etc/{name}")])
    assert there == []


def test_a_node_has_its_own_name(node: NodeMaker) -> None:
    one = node("one")
    assert one.run("hostname; cat /etc/hostname; getent hosts one | cut -d' ' -f1").stdout.split() == [
        "one",
        "one",
        "127.0.1.1",
    ]
    assert one.call(socket.gethostname) == "one"
    assert socket.gethostname() != "one"


def test_nodes_have_different_machine_ids(node: NodeMaker) -> None:
    assert node("one").read("/etc/machine-id") != node("other").read("/etc/machine-id")


def test_writing_to_a_place_that_is_the_hosts_is_refused(node: NodeMaker, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="is the host's"):
        node("one").write(f"{tmp_path}/file", "text")
    assert not Path(tmp_path, "file").exists()


def test_a_node_is_the_same_whatever_our_umask_is(node: NodeMaker) -> None:
    old = os.umask(0o077)
    try:
        one = node("one")
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(old)
    modes = one.run("stat -c %a / /etc /run /var/lib /var/log /etc/hosts /etc/sysctl.d").stdout.split()
    assert modes == ["755", "755", "755", "755", "755", "644", "755"]


@pytest.mark.parametrize(
    "place", ["/etc/sysctl.d", "/usr/lib/sysctl.d", "/usr/local/lib/sysctl.d", "/run/sysctl.d"]
)
def test_no_sysctl_file_of_the_host_is_seen(node: NodeMaker, place: str) -> None:
    assert node("one").run(f"ls -A {place} 2>/dev/null", check=False).stdout == ""


@pytest.mark.parametrize("reader", ["sysctl --system", pytest.param(SYSTEMD_SYSCTL, id="systemd-sysctl")])
def test_the_boot_time_readers_read_the_nodes_files_only(node: NodeMaker, reader: str) -> None:
    if not reader:
        pytest.skip("systemd-sysctl is not installed")
    one = node("one")
    one.write("/etc/sysctl.d/90-test.conf", "net.ipv4.ip_forward = 1\n")
    traced = one.run(f"{reader} 2>&1", check=False).stdout
    assert one.sysctl["net.ipv4.ip_forward"] == 1
    assert {name for name in traced.split() if name.endswith(".conf")} <= {"/etc/sysctl.d/90-test.conf"}


@pytest.mark.parametrize("reader", ["sysctl --system", pytest.param(SYSTEMD_SYSCTL, id="systemd-sysctl")])
@pytest.mark.parametrize("name", ["vm.swappiness", "kernel.domainname", "fs.file-max"])
def test_the_boot_time_readers_cannot_write_what_is_the_hosts(
    node: NodeMaker, reader: str, name: str
) -> None:
    if not reader:
        pytest.skip("systemd-sysctl is not installed")
    one = node("one")
    path = Path("/proc/sys", *name.split("."))
    before = path.read_text()
    one.write("/etc/sysctl.d/90-test.conf", f"{name} = {'61' if before.strip() != '61' else '62'}\n")
    one.run(reader, check=False)
    assert path.read_text() == before


def test_nothing_but_net_can_be_written_under_proc_sys(node: NodeMaker) -> None:
    one = node("one")
    for places in (one.call(_writable), one.run("find /proc/sys -type f -writable").stdout.split()):
        assert [path for path in places if not path.startswith("/proc/sys/net/")] == []


def _writable() -> list[str]:
    return [str(path) for path in Path("/proc/sys").rglob("*") if path.is_file() and os.access(path, os.W_OK)]


def test_sysfs_shows_the_nodes_devices_and_only_they_can_be_written(node: NodeMaker) -> None:
    one = node("one")
    one.run(
        "ip link add br0 type bridge && ip link add v0 type veth peer name v1 && ip link set v0 master br0"
    )
    assert one.run("ls /sys/class/net").stdout.split() == ["br0", "lo", "v0", "v1"]
    assert one.run("touch /sys/kernel/mm", check=False).returncode != 0
    assert one.run("find /sys -type f -writable -not -path '/sys/devices/virtual/net/*'").stdout == ""


@pytest.mark.root("what stands in /sys belongs to root, who has no number in a user namespace of ours")
def test_the_nodes_devices_can_be_set_through_sysfs(node: NodeMaker) -> None:
    one = node("one")
    one.run("ip link add br0 type bridge && ip link add v0 type veth && ip link set v0 master br0")
    one.run("echo 1 > /sys/class/net/v0/brport/hairpin_mode")
    assert one.run("cat /sys/class/net/v0/brport/hairpin_mode").stdout == "1\n"


@pytest.mark.parametrize("kind", ["netns", "node"])
def test_a_fresh_namespace_has_the_kernels_defaults_and_lo(kind: str, request: pytest.FixtureRequest) -> None:
    made: Netns = request.getfixturevalue(kind)("fresh")
    assert [link.ifname for link in made.links] == ["lo"]
    assert "LOOPBACK" in made.links["lo"].flags
    assert made.ping("127.0.0.1").replied
    assert made.sysctl["net.ipv4.ip_forward"] == 0
    assert made.sysctl["net.ipv4.conf.default.rp_filter"] == 0
    assert made.sysctl["net.ipv6.conf.default.accept_dad"] == 0


def test_a_node_has_facts_to_read(node: NodeMaker, veth: Callable[..., object]) -> None:
    one, other = node("one"), node("other")
    veth(one, other, subnet="192.0.2.0/30")
    one.ping(other)
    assert [link.ifname for link in one.links] == ["lo", "eth0"]
    assert "eth0" in one.links
    assert "192.0.2.1" in [addr.local for addr in one.addrs]
    assert ("192.0.2.0/30", "eth0") in [(route.dst, route.dev) for route in one.routes]
    assert {rule.family for rule in one.rules} == {"inet", "inet6"}
    assert "192.0.2.2" in [neigh.dst for neigh in one.neighs]
    assert {entry.dev for entry in one.fdb} == {"eth0"}
    with pytest.raises(KeyError, match="one has no link 'eth1', but lo, eth0"):
        one.links["eth1"]


def test_sysctls_are_read_and_written_by_either_name(node: NodeMaker) -> None:
    one = node("one")
    one.run("ip link add link lo name eth0.5 type macvlan || ip link add eth0.5 type veth peer name eth0")
    for name in (
        "net.ipv4.conf.eth0.5.rp_filter",
        "net/ipv4/conf/eth0.5/rp_filter",
        "net.ipv4.conf.eth0/5.rp_filter",
    ):
        one.sysctl[name] = 0
        one.sysctl[name] = 2
        assert one.sysctl[name] == 2
    assert one.run("cat /proc/sys/net/ipv4/conf/eth0.5/rp_filter").stdout == "2\n"
    assert one.sysctl["net.ipv4.ip_local_port_range"] == "32768\t60999"
    one.sysctl["net.ipv4.ip_local_port_range"] = "1024 2048"
    assert one.sysctl["net.ipv4.ip_local_port_range"] == "1024\t2048"


def test_a_sysctl_that_is_not_there_is_told_from_one_that_is(node: NodeMaker) -> None:
    one = node("one")
    assert "net.ipv4.tcp_tw_recycle" not in one.sysctl
    assert "net.ipv4.ip_forward" in one.sysctl
    assert one.sysctl.get("net.ipv4.tcp_tw_recycle") is None
    with pytest.raises(KeyError, match=r"one has no sysctl net\.ipv4\.tcp_tw_recycle"):
        one.sysctl["net.ipv4.tcp_tw_recycle"]


@pytest.mark.parametrize("kind", ["netns", "node"])
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("net.ipv4.tcp_tw_recycle", 1, "one has no sysctl net.ipv4.tcp_tw_recycle"),
        ("net.ipv4.conf.all.forwarding", "perhaps", "Invalid argument"),
        ("vm.swappiness", 1, "belongs to the host"),
        ("net/../vm/swappiness", 1, "not the name of a sysctl"),
    ],
)
def test_a_sysctl_that_cannot_be_written_says_why(
    request: pytest.FixtureRequest, kind: str, name: str, value: object, words: str
) -> None:
    made: Netns = request.getfixturevalue(kind)("one")
    with pytest.raises(BuildError, match=words):
        made.sysctl[name] = value  # type: ignore[assignment]


def test_namespaces_have_different_inodes(netns: Callable[[str], Netns], node: NodeMaker) -> None:
    one, other = netns("one"), node("other")
    own = Path("/proc/self/ns/net").stat().st_ino
    assert len({one.namespaces.inode, other.namespaces.inode, own}) == 3
    assert one.run("stat -Lc %i /proc/self/ns/net").stdout == f"{one.namespaces.inode}\n"


@pytest.mark.parametrize("path", ["/proc/net/dev", "/proc/self/net/dev"])
def test_a_node_reads_its_own_proc_net(net: Net, path: str) -> None:
    one = net.node("one")
    net.veth(one, net.netns("two"), ifnames=("only-here", "eth0"))
    assert "only-here:" in one.read(path)
    one.run("true")
    assert "only-here:" in one.read(path)


def test_what_in_proc_is_of_the_reader_is_refused(net: Net) -> None:
    with pytest.raises(
        BuildError, match=r"one: /proc/self/status is of who reads it: say run\(\['cat', '/proc"
    ):
        net.node("one").read("/proc/self/status")
