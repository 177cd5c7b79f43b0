"""Which line of the sysctl files wins; the model itself is held to the real readers in tests/netns."""

from __future__ import annotations

import pytest

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.files import file_of
from pytest_netconform.facts.persisted import Persisted, persisted
from pytest_netconform.facts.sysctl_files import PROCPS, PROCPS_3_3, SYSTEMD, assignments, winner


def wins(reader: str, files: dict[str, str], name: str = "net.ipv4.ip_forward", **links: str) -> str | None:
    """Say `value file:line` of the winner; *links* are in /etc/sysctl.d."""
    found = winner(
        assignments(reader, files, {f"/etc/sysctl.d/{at}.conf": to for at, to in links.items()}), name
    )
    return found and f"{found.value} {found.file}:{found.line}"


@pytest.mark.parametrize("reader", [SYSTEMD, PROCPS, PROCPS_3_3])
def test_files_apply_by_base_name_whatever_their_directory(reader: str) -> None:
    files = {
        "/etc/sysctl.d/10-a.conf": "net.ipv4.ip_forward = 0",
        "/usr/lib/sysctl.d/90-b.conf": "# on\n\nnet.ipv4.ip_forward = 1",
    }
    assert wins(reader, files) == "1 /usr/lib/sysctl.d/90-b.conf:3"


def test_the_same_base_name_counts_once_and_the_directories_order_decides() -> None:
    files = {
        "/etc/sysctl.d/50-x.conf": "net.ipv4.ip_forward=1",
        "/run/sysctl.d/50-x.conf": "net.ipv4.ip_forward=0",
    }
    assert wins(SYSTEMD, files) == wins(PROCPS, files) == "1 /etc/sysctl.d/50-x.conf:1"


@pytest.mark.parametrize("mask", ["", None], ids=["empty file", "link to /dev/null"])
def test_a_masked_file_sets_nothing(mask: str | None) -> None:
    files = {"/usr/lib/sysctl.d/50-x.conf": "net.ipv4.ip_forward=1"}
    if mask is None:
        order = assignments(SYSTEMD, files, {"/etc/sysctl.d/50-x.conf": "/dev/null"})
    else:
        order = assignments(SYSTEMD, files | {"/etc/sysctl.d/50-x.conf": mask})
    assert winner(order, "net.ipv4.ip_forward") is None


def test_sysctl_conf_is_last_for_procps_and_unread_by_systemd() -> None:
    files = {"/etc/sysctl.conf": "net.ipv4.ip_forward=0", "/etc/sysctl.d/99-z.conf": "net.ipv4.ip_forward=1"}
    assert wins(PROCPS, files) == "0 /etc/sysctl.conf:1"
    assert wins(SYSTEMD, files) == "1 /etc/sysctl.d/99-z.conf:1"


def test_systemd_reads_sysctl_conf_through_a_link_and_names_the_file_to_edit() -> None:
    files = {"/etc/sysctl.conf": "\nnet.ipv4.ip_forward=1"}
    order = assignments(SYSTEMD, files, {"/etc/sysctl.d/99-sysctl.conf": "../sysctl.conf"})
    assert [(one.file, one.line) for one in order] == [("/etc/sysctl.conf", 2)]


@pytest.mark.parametrize(
    "name", ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding", "net/ipv4/ip_forward"]
)
@pytest.mark.parametrize("last", ["net.ipv4.ip_forward", "net/ipv4/conf/all/forwarding"])
def test_both_names_of_forwarding_are_one(name: str, last: str) -> None:
    first = "net.ipv4.conf.all.forwarding" if "ip_forward" in last else "net.ipv4.ip_forward"
    for reader in (SYSTEMD, PROCPS):
        assert (
            wins(reader, {"/etc/sysctl.d/1.conf": f"{first}=0\n{last}=1"}, name) == "1 /etc/sysctl.d/1.conf:2"
        )


def test_an_interfaces_own_forwarding_does_not_change_ip_forward() -> None:
    files = {"/etc/sysctl.d/1.conf": "net.ipv4.ip_forward=1\nnet.ipv4.conf.eth0.forwarding=0"}
    assert wins(SYSTEMD, files) == "1 /etc/sysctl.d/1.conf:1"
    assert wins(SYSTEMD, files, "net.ipv4.conf.eth0.forwarding") == "0 /etc/sysctl.d/1.conf:2"
    assert wins(SYSTEMD, files, "net.ipv4.conf.eth1.forwarding") == "1 /etc/sysctl.d/1.conf:1"


def test_ip_forward_takes_interfaces_along_only_when_it_changes() -> None:
    changes = {"/etc/sysctl.d/1.conf": "net.ipv4.conf.eth0.forwarding=1\nnet.ipv4.ip_forward=0"}
    assert wins(PROCPS, changes, "net.ipv4.conf.eth0.forwarding") == "1 /etc/sysctl.d/1.conf:1"
    there_and_back = {
        "/etc/sysctl.conf": "net.ipv4.ip_forward=1\nnet.ipv4.conf.eth0.forwarding=1\nnet.ipv4.ip_forward=0"
    }
    assert wins(PROCPS, there_and_back, "net.ipv4.conf.eth0.forwarding") == "0 /etc/sysctl.conf:3"


def test_systemd_keeps_the_place_of_a_key_that_is_set_to_the_same_value_again() -> None:
    files = {
        "/etc/sysctl.d/10-a.conf": "net.ipv4.ip_forward=1",
        "/etc/sysctl.d/50-b.conf": "net.ipv4.conf.all.forwarding=0",
        "/etc/sysctl.d/90-c.conf": "-net.ipv4.ip_forward = 1",
    }
    assert wins(SYSTEMD, files) == "0 /etc/sysctl.d/50-b.conf:1"
    assert wins(PROCPS, files) == "1 /etc/sysctl.d/90-c.conf:1"
    assert [one.ignored_errors for one in assignments(SYSTEMD, files)] == [True, False]


def test_patterns_leave_out_what_is_set_by_name_or_taken_out() -> None:
    files = {
        "/etc/sysctl.d/10-a.conf": "net.ipv4.conf.eth0.rp_filter=0\n-net.ipv4.conf.eth1.rp_filter",
        "/etc/sysctl.d/50-b.conf": "net.ipv4.conf.*.rp_filter=2",
    }
    for reader in (SYSTEMD, PROCPS):
        assert wins(reader, files, "net.ipv4.conf.eth0.rp_filter") == "0 /etc/sysctl.d/10-a.conf:1"
        assert wins(reader, files, "net.ipv4.conf.eth2/5.rp_filter") == "2 /etc/sysctl.d/50-b.conf:1"
        assert wins(reader, files, "net.ipv4.conf.all.rp_filter") == "2 /etc/sysctl.d/50-b.conf:1"
        assert wins(reader, files, "net.ipv4.conf.a.b.rp_filter") is None
    assert wins(PROCPS_3_3, files, "net.ipv4.conf.all.rp_filter") is None


def test_an_interface_without_a_line_of_its_own_has_default() -> None:
    files = {"/etc/sysctl.d/1.conf": "net.ipv4.conf.default.rp_filter=1\nnet.ipv6.conf.default.accept_ra=0"}
    assert wins(SYSTEMD, files, "net.ipv4.conf.eth0.rp_filter") == "1 /etc/sysctl.d/1.conf:1"
    assert wins(SYSTEMD, files, "net.ipv6.conf.eth0.accept_ra") == "0 /etc/sysctl.d/1.conf:2"
    assert wins(SYSTEMD, files, "net.ipv4.conf.all.rp_filter") is None


def test_ipv6_hands_forwarding_of_all_to_every_interface() -> None:
    files = {"/etc/sysctl.d/1.conf": "net.ipv6.conf.eth0.forwarding=0\nnet.ipv6.conf.all.forwarding=1"}
    assert wins(PROCPS, files, "net.ipv6.conf.eth0.forwarding") == "1 /etc/sysctl.d/1.conf:2"


def test_lines_that_are_no_assignments_are_left_out() -> None:
    text = "# net.ipv4.ip_forward=0\n;x=1\nnet.ipv4.ip_forward\n\n  net.ipv4.ip_forward =1 \n"
    files = {"/etc/sysctl.d/1.conf": text}
    for reader in (SYSTEMD, PROCPS, PROCPS_3_3):
        assert wins(reader, files) == "1 /etc/sysctl.d/1.conf:5"


def test_hidden_files_are_read_by_procps_alone_and_others_names_by_none() -> None:
    files = {
        "/etc/sysctl.d/.h.conf": "net.ipv4.ip_forward=1",
        "/etc/sysctl.d/README": "net.ipv4.ip_forward=0",
    }
    assert wins(SYSTEMD, files) is None
    assert wins(PROCPS, files) == "1 /etc/sysctl.d/.h.conf:1"


def test_persisted_says_what_both_readers_make_of_a_name() -> None:
    files = (
        file_of("/etc/sysctl.conf", "file", 1, 0o644, "net.ipv4.conf.all.forwarding = 1 # routers\n"),
        file_of("/usr/lib/sysctl.d/50-default.conf", "file", 1, 0o644, "-net.ipv4.conf.all.forwarding = 0"),
    )
    assert persisted("net/ipv4/ip_forward", files) == (
        Persisted("net.ipv4.ip_forward", SYSTEMD, "0", "/usr/lib/sysctl.d/50-default.conf", 1),
        Persisted("net.ipv4.ip_forward", PROCPS, "1", "/etc/sysctl.conf", 1),
    )
    assert persisted("net.ipv4.tcp_mtu_probing", files) == (
        Persisted("net.ipv4.tcp_mtu_probing", SYSTEMD), Persisted("net.ipv4.tcp_mtu_probing", PROCPS),
    )  # fmt: skip


def test_a_file_whose_text_is_unknown_makes_the_answer_unknown() -> None:
    with pytest.raises(Unreadable, match=r"/etc/sysctl\.d/1\.conf: too large, or not text"):
        persisted("net.ipv4.ip_forward", [file_of("/etc/sysctl.d/1.conf", "file", 1 << 21, 0o644, None)])
    mask = file_of("/etc/sysctl.d/1.conf", "device", 0, 0o666, None, "/dev/null")
    assert persisted("net.ipv4.ip_forward", [mask])[0].value is None
