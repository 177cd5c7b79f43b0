"""Live nodes as targets: their namespaces, and readers that fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_netconform import fabrics
from pytest_netconform.fabrics import Fabric
from pytest_netconform.kernel.observing.discovery import HeldNetns
from pytest_netconform.kernel.observing.evidence import LiveEvidence
from pytest_netconform.nodes import Net, Node
from pytest_netconform.questions import Question, Unknown
from pytest_netconform.suites.judging import Judge
from pytest_netconform.suites.library import Library
from pytest_netconform.targets.live import LiveTarget
from pytest_netconform.targets.observers import answer
from pytest_netconform.targets.replay import open_recordings
from pytest_netconform.verdicts import Verdict

NodeMaker = Callable[[str], Node]
Eventually = Callable[[Callable[[], bool]], bool]

POD_SUITE = """\
suite: pod
title: A pod has a way out
in: {netns: {kind: pod}}
or_none: true
checks:
  way-out: {route: {dst: default}}
  mtu-of-host-side:
    for: {eth0: {link: {ifname: eth0}}, port: {link: {ifindex: "${eth0.link_index}"}, in: node}}
    link: {ifname: eth0, mtu: "${port.mtu}"}
"""


@pytest.fixture
def fabric() -> Iterator[Fabric]:
    with Net() as net:
        yield fabrics.build(net, "calico", nodes=1, pods=2)


def target_of(fabric: Fabric, name: str = "node1") -> LiveTarget:
    pods = [HeldNetns(pod.namespaces) for pod in fabric.pods.values()]
    return LiveTarget(name, fabric[name].namespaces, lambda: [*pods, HeldNetns(fabric.outside.namespaces)])


def rows(target: LiveTarget) -> list[Any]:
    found = target.observe(Question("netns"))
    assert isinstance(found, tuple), found
    return list(found)


# Namespaces that are held by a net


def test_a_fabrics_pods_are_pods_of_their_node_alone(fabric: Fabric) -> None:
    found = rows(target_of(fabric))
    assert [(row.name, row.kind) for row in found] == [
        ("node1/pod1", "pod"),
        ("node1/pod2", "pod"),
        ("outside", None),
    ]
    assert [row.inode for row in found[:2]] == [pod.namespaces.inode for pod in fabric.pods.values()]
    assert len({row.nsid for row in found} - {None}) == 2
    seen_from_outside = rows(
        LiveTarget("outside", fabric.outside.namespaces, lambda: [HeldNetns(fabric.router.namespaces)])
    )
    assert [(row.name, row.kind) for row in seen_from_outside] == [("router", "pod")]


def test_inside_a_pod_its_tables_are_seen_and_the_nodes_files(fabric: Fabric) -> None:
    (_, pod1), (_, _), (_, outside) = target_of(fabric).places()  # type: ignore[misc]
    (link,) = (link for link in pod1.observe(Question("link")) if link.ifname == "eth0")
    assert link.link_netnsid is not None
    (file,) = pod1.observe(Question("file", "/etc/hostname"))
    assert file.text == "node1\n"
    fabric["node1/pod1"].sysctl["net.ipv4.ip_forward"] = 1
    for place, value in ((pod1, "1"), (outside, "0")):
        (sysctl,) = place.observe(Question("sysctl", "net.ipv4.ip_forward"))
        assert sysctl.value == value
    assert isinstance(pod1.observe(Question("chain")), tuple)


def test_namespaces_are_listed_from_their_node_only(fabric: Fabric) -> None:
    (_, pod1), *_ = target_of(fabric).places()  # type: ignore[misc]
    told = Unknown("network namespaces are listed from their node, not from inside one of them")
    assert pod1.places() == pod1.observe(Question("netns")) == told


def test_looking_holds_no_descriptor(fabric: Fabric, descriptors: Callable[[], int]) -> None:
    target = target_of(fabric)
    counted = []
    for _ in range(3):
        places = target.places()
        assert not isinstance(places, Unknown)
        for _, place in places:
            place.observe(Question("route"))
        counted.append(descriptors())
    assert counted[0] == counted[-1], "the first look also makes the PID namespaces of the pods"


# The pod suite of the design


def told(target: Any, directory: Path) -> dict[str, tuple[Verdict, list[str]]]:
    (directory / "pod.suite.yaml").write_text(POD_SUITE)
    library = Library(here=directory)
    suite = library.load(directory / "pod.suite.yaml")
    judge = Judge(target, library.suites)
    judged = {name: judge.judge(check) for name, check in suite.checks.items()}
    return {name: (each.verdict, [str(line) for line in each.telling]) for name, each in judged.items()}


def test_a_suite_is_judged_inside_each_pod(fabric: Fabric, tmp_path: Path) -> None:
    target = target_of(fabric)
    for verdict, lines in told(target, tmp_path).values():
        assert verdict is Verdict.PASS, lines
        assert [line.partition(":")[0] for line in lines] == ["node1/pod1", "node1/pod2"]
    fabric["node1/pod2"].run("ip link set eth0 mtu 1400; ip route del default")
    broken = told(target, tmp_path)
    for name, said in (
        ("way-out", "node1/pod2: route: no routes match {dst: default}"),
        ("mtu-of-host-side", "node1/pod2: link: no links match {ifname: eth0, mtu: 1500}"),
    ):
        assert broken[name][0] is Verdict.FAIL
        assert [line.splitlines()[0] for line in broken[name][1]] == [said]


def test_a_suite_is_judged_inside_each_pod_of_a_recording(recordings: Path, tmp_path: Path) -> None:
    for node in open_recordings([recordings / "flannel-cluster" / "vxlan"]):
        for verdict, lines in told(node, tmp_path).values():
            assert verdict is Verdict.PASS, lines
            assert len(lines) == 2


# Namespaces that are found on the node itself: looked for by a process that lives there

PRELUDE = """
import json, os, subprocess, sys, warnings
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.questions import Question, Unknown
from pytest_netconform.targets.live import LiveTarget
warnings.simplefilter("error")
here = LiveTarget("here", Namespaces.here("here"))
def rows():
    found = here.observe(Question("netns"))
    return found if isinstance(found, Unknown) else [[row.name, row.kind, row.nsid, row.pid] for row in found]
def open_now():
    return sorted(os.listdir("/proc/self/fd"))
"""


PATHS = {"PYTHONPATH": os.pathsep.join(sys.path)}


def look(node: Node, code: str) -> Any:
    """Look at a node from inside, as a user does who runs pytest there; gives what the code prints."""
    done = node.run([sys.executable, "-W", "error", "-c", PRELUDE + code], env=PATHS)
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture
def host(node: NodeMaker) -> Node:
    """Make a node with two named namespaces: one is wired to it, the other is not."""
    host = node("host")
    host.run(
        "ip netns add wired && ip netns add alone && ip link add v0 type veth peer name eth0 netns wired"
    )
    return host


def live_in(node: Node, *enter: str) -> subprocess.Popen[str]:
    """Have a process live in a namespace, and wait until it does."""
    process = node.popen([*enter, "sh", "-c", "echo; exec sleep 1000"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read(1)
    return process


def test_named_namespaces_are_found_and_those_that_are_wired_are_pods(host: Node) -> None:
    assert sorted(look(host, "print(json.dumps(rows()))")) == [
        ["alone", None, None, None],
        ["wired", "pod", 0, None],
    ]


def test_what_stands_where_names_do_and_is_no_namespace_is_left_out(host: Node) -> None:
    host.run("echo > /run/netns/stale; ln -s nowhere /run/netns/dangling")
    assert len(look(host, "print(json.dumps(rows()))")) == 2


def test_a_process_tells_of_its_namespace_with_or_without_a_name(host: Node) -> None:
    for enter in (("ip", "netns", "exec", "wired"), ("ip", "netns", "exec", "wired"), ("unshare", "--net")):
        live_in(host, *enter)
    seen = {name: pid for name, _, _, pid in look(host, "print(json.dumps(rows()))")}
    pids = host.run("pgrep -x sleep").stdout.split()
    assert seen == {"wired": int(pids[0]), "alone": None, f"pid {pids[2]}": int(pids[2])}


def test_looking_at_those_that_were_found_holds_nothing_open(host: Node) -> None:
    live_in(host, "unshare", "--net")
    code = """
before = open_now()
for _ in range(20):
    for row, place in here.places():
        assert isinstance(place.observe(Question("link")), tuple)
print(json.dumps([before, open_now()]))
"""
    before, after = look(host, code)
    assert before == after


def test_looking_does_not_keep_a_namespace_alive(host: Node, eventually: Eventually) -> None:
    code = """
places = here.places()
subprocess.run(["ip", "netns", "del", "wired"], check=True)
print(json.dumps([row.name for row, _ in places]), flush=True)
sys.stdin.read()
said = [place.observe(Question("link")).reason for row, place in places if row.name == "wired"]
print(json.dumps(said))
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    looking = host.popen([sys.executable, "-c", PRELUDE + code], env=PATHS, **pipes)
    assert looking.stdout is not None
    assert sorted(json.loads(looking.stdout.readline())) == ["alone", "wired"]
    assert eventually(lambda: "v0" not in host.links)
    said, _ = looking.communicate()
    assert json.loads(said) == ["wired: this network namespace is gone"]


def test_a_namespace_that_others_hold_now_is_not_gone(host: Node) -> None:
    code = """
from pytest_netconform.kernel.observing.discovery import FoundNetns
inode = os.stat("/run/netns/alone").st_ino
with FoundNetns(inode, "alone", 4194304, ["/proc/4194304/ns/net"]).entered() as namespaces:
    print(json.dumps(namespaces.inode == inode))
"""
    assert look(host, code) is True


def test_a_pod_that_may_not_be_entered_is_an_error_and_one_that_ended_is_left_out(host: Node) -> None:
    code = """
import pathlib
from pytest_netconform.suites.judging import Judge
from pytest_netconform.suites.library import Library
suite, library = pathlib.Path("/run/x.suite.yaml"), Library()
suite.write_text("suite: x\\nin: {netns: '*'}\\nchecks: {c: {link: {ifname: lo}}}\\n")
check = library.load(suite).checks["c"]
judge = Judge(here, library.suites)
places = judge.observation.places(here)
subprocess.run(["ip", "netns", "del", "wired"], check=True)
first = [str(finding) for finding in judge.judge(check).findings]
judge.renew()
judge.observation.places(here)
opened = os.open
def refuse(path, *rest, **more):
    if str(path).startswith(("/run/netns", "/proc/")) and str(path).endswith(("alone", "/ns/net")):
        raise PermissionError(13, "Permission denied")
    return opened(path, *rest, **more)
os.open = refuse
print(json.dumps([first, str(judge.judge(check).verdict)]))
"""
    assert look(host, code) == [["alone: link: lo matches"], "error"]


def test_namespaces_that_come_and_go_meanwhile_disturb_nobody(host: Node) -> None:
    code = """
churn = subprocess.Popen(["sh", "-c", "while :; do unshare --net true; done"], start_new_session=True)
seen = [rows() for _ in range(200)]
os.killpg(churn.pid, 9)
churn.wait()
wrong = [repr(each) for each in seen if isinstance(each, Unknown)]
print(json.dumps([wrong, sorted({row[0] for each in seen for row in each if not row[0].startswith("pid ")})]))
"""
    assert look(host, code) == [[], ["alone", "wired"]]


@pytest.mark.root("it becomes another user, and a user namespace of ours has one only")
def test_a_process_that_may_not_be_looked_at_makes_the_list_unknown(host: Node) -> None:
    code = """
os.setresuid(65534, 65534, 65534)
print(json.dumps([rows().reason, here.places().reason]))
"""
    said = look(host, code)
    assert said[0] == said[1]
    assert said[0].startswith("/proc/1/ns/net: Permission denied; run as root")


# Readers that fail


def ask(node: Node, table: str, of: Any = None, deadline_s: float = 60.0) -> Any:
    return answer(LiveEvidence(node.namespaces, deadline_s), Question(table, of))


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a tool before the real one on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def put(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return put


Tool = Callable[[str, str], None]


def test_a_tool_that_is_missing_is_named(node: NodeMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    one = node("one")
    one.run("mkdir /run/white && mknod /run/white/bridge c 0 0")
    one.run("mount -t overlay -o ro,lowerdir=/run/white:/usr/sbin overlay /usr/sbin")
    monkeypatch.setenv("PATH", "/usr/sbin")
    assert ask(one, "fdb") == Unknown("`bridge -d -j fdb` could not be run: no such program: bridge")
    assert isinstance(ask(one, "link"), tuple)


WARNED = "echo 'Dump was interrupted and may be inconsistent.' >&2"


def test_a_table_that_changed_while_it_was_read_is_read_once_more(
    node: NodeMaker, tool: Tool, tmp_path: Path
) -> None:
    one, tried = node("one"), tmp_path / "tried"
    tool("bridge", f"[ -e {tried} ] || {WARNED}; touch {tried}; echo '[]'")
    assert ask(one, "fdb") == ()
    assert tried.exists()


def test_a_table_that_never_stays_as_it_is_could_not_be_read(node: NodeMaker, tool: Tool) -> None:
    tool("bridge", f"{WARNED}; echo '[]'")
    said = "`bridge -d -j fdb`: Dump was interrupted 2 times: the table changed meanwhile"
    assert ask(node("one"), "fdb") == Unknown(said)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'not allowed' >&2; exit 3", "`bridge -d -j fdb` exited with 3: not allowed"),
        ("echo 'on standard output'; exit 3", "`bridge -d -j fdb` exited with 3: on standard output"),
        ("exit 3", "`bridge -d -j fdb` exited with 3"),
        ("kill -SEGV $$", "`bridge -d -j fdb` exited with -11"),
        ("echo oops", "`bridge -d -j fdb`:1:1: Expecting value"),
        ('echo "[{}"', "`bridge -d -j fdb`:2:1: Expecting ',' delimiter"),
        ("echo '[7]'", "`bridge -d -j fdb`:1: row 1: expected an object, got a number"),
        ("head -c 100 /dev/zero", "`bridge -d -j fdb`:1:1: Expecting value"),
        ("seq 1000 >&2; exit 1", "`bridge -d -j fdb` exited with 1: 1 2 3 "),
    ],
)
def test_a_tool_that_fails_is_told_in_its_own_words(
    node: NodeMaker, tool: Tool, script: str, said: str
) -> None:
    tool("bridge", script)
    found = ask(node("one"), "fdb")
    assert isinstance(found, Unknown)
    assert found.reason.startswith(said)
    assert len(found.reason) < 500


def test_a_tool_that_has_nothing_to_tell_tells_that_there_is_nothing(node: NodeMaker, tool: Tool) -> None:
    tool("bridge", "exit 0")
    assert ask(node("one"), "fdb") == ()


def test_a_tool_that_hangs_is_ended_with_all_that_it_started(
    node: NodeMaker, tool: Tool, eventually: Eventually
) -> None:
    one = node("one")
    tool("bridge", "sleep 1000 & echo so far; wait")
    found = ask(one, "fdb", deadline_s=0.3)
    assert isinstance(found, Unknown)
    assert found.reason.startswith("`bridge -d -j fdb` exited with -9")
    assert "killed, for it did not end within 0.3 s" in found.reason
    assert eventually(lambda: one.run("pgrep -x sleep", check=False).stdout == "")


def test_bytes_that_are_no_text_are_shown_as_such(node: NodeMaker, tool: Tool) -> None:
    tool("bridge", r"""printf '[{"mac":"00:00:00:00:00:01","ifname":"a\377b","flags":[],"state":""}]'""")
    (entry,) = ask(node("one"), "fdb")
    assert entry.dev == "a\ufffdb"


@pytest.mark.root("only root may read the kernel's list of legacy tables")
def test_legacy_rules_are_asked_for_only_where_there_are_tables(node: NodeMaker, tool: Tool) -> None:
    one = node("one")
    tool("iptables-legacy-save", "echo called >&2; exit 1")
    assert isinstance(ask(one, "chain"), tuple)
    one.run("iptables-legacy -A FORWARD -j ACCEPT")
    assert ask(one, "chain") == Unknown("`iptables-legacy-save -c` exited with 1: called")


@pytest.mark.parametrize(
    "name", ["net.ipv4.route.flush", "net.ipv4.tcp_tw_recycle", "net.ipv4", "net.ipv4.ip_forward.x"]
)
def test_what_cannot_be_read_as_a_sysctl_is_absent(node: NodeMaker, name: str) -> None:
    assert ask(node("one"), "sysctl", name) == ()


def test_no_name_of_a_sysctl_leads_elsewhere(node: NodeMaker) -> None:
    assert isinstance(ask(node("one"), "sysctl", "net/../../../etc/passwd"), Unknown)


def test_a_table_that_nobody_knows_is_unknown(node: NodeMaker) -> None:
    assert ask(node("one"), "oracle") == Unknown("this target cannot answer questions of 'oracle'")
