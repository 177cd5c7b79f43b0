"""The fixes that the built-in suites print, where no lab proves them: as a person would run them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_netconform.nodes import Node
from pytest_netconform.suites.judging import Judge
from pytest_netconform.suites.library import Library, builtin_suites
from pytest_netconform.targets.live import LiveTarget
from pytest_netconform.verdicts import Verdict

pytestmark = pytest.mark.namespaces
Make = Callable[[str], Node]
OFF = {
    "nothing": {},
    "a later file": {"/etc/sysctl.d/99-off.conf": "net.ipv4.ip_forward=0"},
    "one with a blank in front": {"/etc/sysctl.d/99-off.conf": "  -net/ipv4/ip_forward = 0"},
    "its other name": {"/etc/sysctl.d/99-off.conf": "net.ipv4.conf.all.forwarding = 0"},
    "a pattern": {"/etc/sysctl.d/99-off.conf": "net.ipv4.conf.*.forwarding = 0"},
    "sysctl.conf": {"/etc/sysctl.conf": "# mine\nnet.ipv4.ip_forward = 0"},
    "run": {"/run/sysctl.d/95-off.conf": "net.ipv4.ip_forward = 0\n"},
    "a hidden file": {"/etc/sysctl.d/.zz.conf": "net.ipv4.ip_forward = 0\n"},
    "all of them": {
        "/etc/sysctl.d/99-off.conf": "net.ipv4.ip_forward=0",
        "/etc/sysctl.conf": "net.ipv4.ip_forward=0",
        "/run/sysctl.d/98-off.conf": "net.ipv4.ip_forward=0",
    },
}


def judged(node: Node, check_id: str) -> tuple[Verdict, str]:
    """Judge one built-in check on a node; gives its fix too."""
    library = Library()
    for path in builtin_suites():
        library.load(path)
    suite, _, name = check_id.partition("::")
    check = library.suites[suite].checks[name]
    target = LiveTarget(node.name, node.namespaces, lambda: ())
    return Judge(target, library.suites).judge(check).verdict, check.fix


@pytest.mark.parametrize("files", OFF.values(), ids=OFF)
def test_forwarding_survives_whatever_other_files_say(node: Make, files: dict[str, str]) -> None:
    one = node("one")
    for path, text in files.items():
        one.run(f"mkdir -p {path.rpartition('/')[0]}")
        one.write(path, text)
    verdict, fix = judged(one, "kubernetes-node::forwarding-survives")
    assert verdict is Verdict.FAIL
    for _ in range(2):
        one.run(["sh", "-uc", fix])
        assert judged(one, "kubernetes-node::forwarding-survives")[0] is Verdict.PASS


@pytest.mark.parametrize("lost", ["0", "32766", "both"])
def test_lost_rules_come_back(node: Make, lost: str) -> None:
    one = node("one")
    for pref in ("0", "32766") if lost == "both" else (lost,):
        one.run(f"ip rule del pref {pref}")
    verdict, fix = judged(one, "linux::routing-policy")
    assert verdict is Verdict.FAIL
    for _ in range(2):
        one.run(["sh", "-uc", fix])
        assert judged(one, "linux::routing-policy")[0] is Verdict.PASS
