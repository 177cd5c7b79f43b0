"""The example suites of the design: they load as they stand, pass on a healthy cluster, and can fail."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from dictionary import Dictionary, load_all

from pytest_netconform.checks.base import Kind
from pytest_netconform.checks.registry import kinds, register
from pytest_netconform.facts.base import Fact
from pytest_netconform.kernel.observing.tables import SYSCTL_FILES
from pytest_netconform.suites.judging import Judge
from pytest_netconform.suites.library import Library
from pytest_netconform.targets.replay import open_recordings
from pytest_netconform.verdicts import Judgement, Verdict

SUITES = Path(__file__).parents[1] / "data" / "suites"
CLUSTER = Path(__file__).parents[1] / "data" / "flannel-cluster" / "vxlan"
NODES = ("node1", "node2", "node3")
POD = "4026532882"
ENV = "files/run/flannel/subnet.env"
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns(Fact):
    """What a name server answered; stands in for the probe, which is not there yet."""

    identity: ClassVar[tuple[str, ...]] = ("server", "name")

    server: str
    name: str
    address: str | None = None


@pytest.fixture(autouse=True)
def dns() -> Iterator[None]:
    """Register a kind as another package would, for one test."""
    take_away = register(Kind("dns", Dns, "answers"))
    yield
    take_away()


@pytest.fixture
def library() -> Library:
    """Give the example suites, loaded as one library."""
    found = Library(SUITES)
    for path in sorted(SUITES.glob("*.suite.yaml")):
        found.load(path)
    return found


def judged(library: Library, suite: str, recording: Path) -> dict[str, Judgement]:
    """Judge a suite's checks on a recording; `when` stands for whether it applies."""
    (target,) = open_recordings([recording])
    judge = Judge(target, library.suites)
    found = library.suites[suite]
    verdicts = {name: judge.judge(check) for name, check in found.checks.items()}
    return {"when": judge.applies(found), **verdicts}


def failing(library: Library, suite: str, recording: Path) -> list[str]:
    """List the checks that do not pass, each as a failure."""
    found = {
        name: each
        for name, each in judged(library, suite, recording).items()
        if each.verdict is not Verdict.PASS
    }
    assert {each.verdict for each in found.values()} <= {Verdict.FAIL}, [str(each) for each in found.values()]
    return list(found)


@pytest.fixture
def node1(tmp_path: Path) -> Path:
    """Give a copy of a recording, to be changed."""
    return Path(shutil.copytree(CLUSTER / "node1", tmp_path / "node1"))


def change(file: Path, edit: Callable[[str], str]) -> None:
    """Change a text; that it changes nothing is a mistake of the test."""
    before = file.read_text()
    after = edit(before)
    assert after != before
    file.write_text(after)


def change_rows(file: Path, edit: Callable[[Rows], Rows]) -> None:
    change(file, lambda text: json.dumps(edit(json.loads(text))))


def change_link(file: Path, ifname: str, edit: Callable[[dict[str, Any]], Any]) -> None:
    def edited(rows: Rows) -> Rows:
        edit(next(row for row in rows if row.get("ifname") == ifname))
        return rows

    change_rows(file, edited)


def without(**fields: Any) -> Callable[[Rows], Rows]:
    """Drop the one row that has these fields."""

    def dropped(rows: Rows) -> Rows:
        doomed = [row for row in rows if all(row.get(name) == value for name, value in fields.items())]
        assert len(doomed) == 1
        return [row for row in rows if row not in doomed]

    return dropped


# They load, and pass


def test_every_example_loads(library: Library) -> None:
    assert sorted(library.suites) == ["cluster-dns", "flannel-vxlan", "kubernetes-node", "pod"]
    assert load_all(sorted(SUITES.glob("*.suite.yaml")))


def test_a_kind_of_another_package_comes_and_goes() -> None:
    assert "dns" in kinds()
    with pytest.raises(ValueError, match="there is a kind 'dns' already"):
        register(Kind("dns", Dns, "answers"))
    for word in ("any", "in", "severity"):
        with pytest.raises(ValueError, match="already, or suites use the word"):
            register(Kind(word, Dns, "answers"))


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("suite", ["flannel-vxlan", "pod"])
def test_a_healthy_node_passes(library: Library, suite: str, node: str) -> None:
    assert failing(library, suite, CLUSTER / node) == []


def test_each_pod_is_judged_by_itself(library: Library) -> None:
    found = judged(library, "pod", CLUSTER / "node1")["mtu-of-host-side"]
    assert len({finding.place for finding in found.findings}) == len(found.findings) == 2


@pytest.mark.parametrize("node", NODES)
def test_what_is_no_kubernetes_node_does_not_apply(library: Library, node: str) -> None:
    applies = judged(library, "kubernetes-node", CLUSTER / node)["when"]
    assert applies.verdict is Verdict.FAIL
    said = "a recording of format 0 does not tell of /var/lib/kubelet/config.yaml"
    assert str(applies.telling[0]).endswith(said)


# Each check of flannel-vxlan fails when its own fact is changed


def link_of_vtep(edit: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    return lambda node: change_link(node / "self/ip-addr.json", "flannel.1", edit)


def info(**values: Any) -> Callable[[Path], None]:
    return link_of_vtep(lambda link: link["linkinfo"]["info_data"].update(values))


def neighbour(edit: Callable[[Rows], Rows]) -> Callable[[Path], None]:
    return lambda node: change_rows(node / "self/ip-neigh.json", edit)


def rules(edit: Callable[[str], str]) -> Callable[[Path], None]:
    return lambda node: change(node / "self/iptables-nft-save.txt", edit)


def stale(rows: Rows) -> Rows:
    for row in rows:
        if row["dst"] == "10.42.2.0":
            row["state"] = ["STALE"]
    return rows


def without_masquerade(text: str) -> str:
    return "".join(line for line in text.splitlines(True) if "! -d 224.0.0.0/4" not in line)


def masquerade_first(text: str) -> str:
    lines = text.splitlines(True)
    moved = next(line for line in lines if "! -d 224.0.0.0/4" in line)
    lines.remove(moved)
    first = next(number for number, line in enumerate(lines) if "-A FLANNEL-POSTRTG" in line)
    return "".join([*lines[:first], moved, *lines[first:]])


@pytest.mark.parametrize(
    ("fault", "checks", "told"),
    [
        pytest.param(
            info(learning=True), ["vtep"], "info.learning: expected false, got true", id="the device learns"
        ),
        pytest.param(info(id=2), ["vtep"], "info.id: expected 1, got 2", id="another VNI"),
        pytest.param(info(port=4789), ["vtep"], "info.port: expected 8472, got 4789", id="another port"),
        pytest.param(
            link_of_vtep(lambda link: link["flags"].remove("UP")), ["vtep"],
            "flags: expected UP, got [BROADCAST, MULTICAST, LOWER_UP]", id="the device is down",
        ),
        pytest.param(
            link_of_vtep(lambda link: link.update(mtu=1451)), ["vtep-mtu"],
            "nearest is flannel.1: mtu: expected <= 1450, got 1451", id="the MTU is too large",
        ),
        pytest.param(
            lambda node: change_link(node / "self/ip-addr.json", "eth0", lambda link: link.update(mtu=1400)),
            ["vtep-mtu"], "nearest is flannel.1: mtu: expected <= 1350, got 1450", id="a smaller underlay",
        ),
        pytest.param(
            neighbour(without(dst="10.42.2.0", dev="flannel.1")), ["routes-have-neighbours"],
            "no neighbours match {dev: flannel.1, dst: 10.42.2.0, state: PERMANENT}",
            id="a neighbour is gone",
        ),
        pytest.param(
            neighbour(stale), ["routes-have-neighbours"],
            "nearest is 10.42.2.0 dev flannel.1: state: expected PERMANENT, got STALE",
            id="a neighbour can age",
        ),
        pytest.param(
            rules(without_masquerade), ["masquerade"],
            "no rules match -s 10.42.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully behind number 2",
            id="no masquerade",
        ),
        pytest.param(
            rules(masquerade_first), ["masquerade"],
            "number 1, -s 10.42.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully, must stand behind "
            "number 3, -s 10.42.0.0/24 -d 10.42.0.0/16 -j RETURN",
            id="masquerade before return",
        ),
        pytest.param(
            rules(lambda text: text.replace("! -d 224.0.0.0/4", "-d 224.0.0.0/4")), ["masquerade"],
            "expected ! -d 224.0.0.0/4, got -d 224.0.0.0/4", id="masquerade the other way round",
        ),
        pytest.param(
            lambda node: change(node / ENV, lambda text: text.replace("10.42.0.0/16", "10.0.0.0/8")),
            ["masquerade"], "expected -d 10.0.0.0/8, got -d 10.42.0.0/16", id="another network",
        ),
    ],
)  # fmt: skip
def test_each_check_of_flannel_fails_by_its_own_fact(
    library: Library, node1: Path, fault: Callable[[Path], None], checks: list[str], told: str
) -> None:
    fault(node1)
    assert failing(library, "flannel-vxlan", node1) == checks
    found = judged(library, "flannel-vxlan", node1)[checks[0]]
    assert told in "\n".join(map(str, found.telling))


def test_without_its_device_the_suite_applies_still_and_all_of_it_that_needs_it_fails(
    library: Library, node1: Path
) -> None:
    change_rows(node1 / "self/ip-addr.json", without(ifname="flannel.1"))
    found = judged(library, "flannel-vxlan", node1)
    assert found["when"].verdict is Verdict.PASS
    assert failing(library, "flannel-vxlan", node1) == ["vtep", "vtep-mtu"]
    assert str(found["vtep-mtu"].telling[0]) == "variable 'vtep' is exactly one link, but none matches"
    assert str(found["vtep"].telling[0]).startswith("link: no links match {ifname: flannel.1, ")


def test_a_node_without_flannel_does_not_apply(library: Library, node1: Path) -> None:
    change_rows(node1 / "self/ip-addr.json", without(ifname="flannel.1"))
    (node1 / ENV).unlink()
    assert judged(library, "flannel-vxlan", node1)["when"].verdict is Verdict.FAIL


@pytest.mark.parametrize("file", ["ip-addr.json", "ip-neigh.json", "iptables-nft-save.txt", "ip-route4.json"])
def test_what_was_not_recorded_is_an_error_and_no_failure(library: Library, node1: Path, file: str) -> None:
    change(node1 / "self/commands.tsv", lambda text: "".join(
        line for line in text.splitlines(True) if not line.startswith(f"{file}\t")
    ))  # fmt: skip
    found = judged(library, "flannel-vxlan", node1)
    verdicts = {each.verdict for each in found.values()}
    assert Verdict.ERROR in verdicts
    assert Verdict.FAIL not in verdicts


def test_without_its_end_the_built_in_suite_misses_a_vtep(node1: Path) -> None:
    builtin = Library()
    assert builtin.get("flannel-vxlan") is not None
    assert failing(builtin, "flannel-vxlan", node1) == []
    change_rows(node1 / "self/bridge-fdb.json", without(ifname="flannel.1", dst="192.168.200.206"))
    assert failing(builtin, "flannel-vxlan", node1) == ["neighbours-have-ends"]


# The others


def test_each_check_of_pod_fails_by_its_own_fact(library: Library, node1: Path) -> None:
    pod = node1 / POD
    change_rows(pod / "ip-route4.json", without(dst="default"))
    assert failing(library, "pod", node1) == ["way-out"]
    change_link(pod / "ip-addr.json", "eth0", lambda link: link.update(mtu=1500))
    assert failing(library, "pod", node1) == ["way-out", "mtu-of-host-side"]
    (finding,) = judged(library, "pod", node1)["mtu-of-host-side"].telling
    assert finding.place
    assert "nearest is eth0: mtu: expected 1450, got 1500" in finding.text


def test_a_node_without_pods_passes_the_suite_of_pods(library: Library, node1: Path) -> None:
    change(node1 / "netns.tsv", lambda text: text.splitlines()[0] + "\n")
    assert failing(library, "pod", node1) == []


CONFIG = "/var/lib/kubelet/config.yaml"
KEPT = (f"{CONFIG}\tkept\tfile\t644\t2\t\n", "/etc/sysctl.d/90.conf\tkept\tfile\t644\t24\t\n")


@pytest.fixture
def kubelet(node1: Path) -> Path:
    """Give a recording of a node with a kubelet and a lasting sysctl."""
    for path, text in (
        ("var/lib/kubelet/config.yaml", "{}"),
        ("etc/sysctl.d/90.conf", "net.ipv4.ip_forward = 1\n"),
    ):
        file = node1 / "files" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (node1 / "files.tsv").write_text("".join((*KEPT, *map("{}\tmatched\n".format, (CONFIG, *SYSCTL_FILES)))))
    return node1


def test_each_check_of_kubernetes_node_fails_by_its_own_fact(library: Library, kubelet: Path) -> None:
    assert failing(library, "kubernetes-node", kubelet) == []
    sysctls = kubelet / "self/sysctl.txt"
    forwarding = "net/ipv4/conf/eth0/forwarding"
    change(sysctls, lambda text: text.replace(f"{forwarding}:1", f"{forwarding}:0"))
    assert failing(library, "kubernetes-node", kubelet) == ["forwarding"]
    (finding,) = judged(library, "kubernetes-node", kubelet)["forwarding"].telling
    assert finding.text.startswith(
        "netconf eth0 forwarding: expected true, got false   (1 of 6 interfaces: eth0)"
    )
    change(kubelet / "files.tsv", lambda text: text.replace(KEPT[1], ""))
    change(sysctls, lambda text: f"{text}net/ipv4/tcp_tw_recycle:1\n")
    assert failing(library, "kubernetes-node", kubelet) == [
        "forwarding", "forwarding-survives", "no-time-wait-recycling",
    ]  # fmt: skip


def test_the_suite_of_names_needs_a_node_that_forwards(library: Library) -> None:
    from pytest_netconform.facts.files import file_of
    from pytest_netconform.facts.netconf import Netconf

    def verdict(forwarding: bool, address: str | None) -> Judgement:
        kubelet = file_of("/var/lib/kubelet/config.yaml", "file", 2, 0o644, "{}")
        server = Dns(server="10.96.0.10", name="kubernetes.default.svc.cluster.local", address=address)
        eth0 = Netconf(family="inet", ifname="eth0", forwarding=forwarding)
        target = Dictionary(
            {"file": (kubelet,), "netconf": (eth0,), "dns": (server,) if address else ()}, moves=False
        )
        return Judge(target, library.suites).judge(library.suites["cluster-dns"].checks["names-resolve"])

    assert verdict(forwarding=True, address="10.96.0.1").verdict is Verdict.PASS
    assert verdict(forwarding=True, address=None).verdict is Verdict.FAIL
    assert str(verdict(False, "10.96.0.1").findings[0]) == "blocked by kubernetes-node::forwarding (fail)"
