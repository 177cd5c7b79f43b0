"""The recording script, run on nodes: it records what a live look sees, and leaves the node as it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from known_pods import show

from pytest_netconform import fabrics
from pytest_netconform.facts.base import Fact
from pytest_netconform.nodes import Net, Node
from pytest_netconform.questions import Question, Unknown
from pytest_netconform.recording import FILES, script
from pytest_netconform.suites.judging import Judge
from pytest_netconform.suites.library import Library, builtin_suites
from pytest_netconform.targets.live import LiveTarget
from pytest_netconform.targets.replay import RecordedTarget, open_recordings
from pytest_netconform.verdicts import Verdict

pytestmark = pytest.mark.root("a recording is made by root, who may read everything")
Nobody = Callable[..., subprocess.CompletedProcess[str]]
Eventually = Callable[[Callable[[], bool]], bool]
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
SHELLS = ("dash", "bash --posix", "busybox sh")
TABLES = ("link", "addr", "route", "rule", "neigh", "fdb", "netconf", "chain")
SYSCTLS = ("net.*", "net.*.*", "net.*.*.*", "net.*.*.*.*", "net.ipv4.ip_forward", "net.ipv4.tcp_tw_recycle")
PERSISTED = ("net.ipv4.ip_forward", "net.ipv4.conf.eth0.forwarding", "net.bridge.bridge-nf-call-iptables")
QUESTIONS = (
    *(Question(table) for table in TABLES),
    *(Question("sysctl", name) for name in SYSCTLS),
    *(Question("persisted", name) for name in PERSISTED),
    *(Question("file", path) for path in FILES),
)
COUNTERS = {"stats", "packets", "bytes", "used", "confirmed", "updated", "probes", "refcnt", "state"}
"""What moves between two looks at the same node."""
MOVING = {"net.netfilter.nf_conntrack_count", "gc_timer", "hello_timer"}


def settled(value: Any) -> Any:
    """Put a fact into plain values, less what moves by itself."""
    if isinstance(value, Fact):
        found = {each.name: getattr(value, each.name) for each in fields(value)}  # type: ignore[arg-type]
        return {name: settled(inner) for name, inner in found.items() if name not in COUNTERS}
    if isinstance(value, Mapping):
        return {name: settled(inner) for name, inner in value.items() if name not in MOVING}
    return [settled(inner) for inner in value] if isinstance(value, (tuple, list)) else value


FROM_INSIDE = """
import json
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.questions import Question
from pytest_netconform.targets.live import LiveTarget
found = LiveTarget("node1", Namespaces.here("node1")).observe(Question("netns"))
print(json.dumps([[row.name, row.inode, row.kind, row.nsid, row.pid] for row in found]))
"""


def rows(target: LiveTarget | RecordedTarget, question: Question) -> Any:
    answer = target.observe(question)
    assert isinstance(answer, tuple), f"{target.name}: {question}: {answer}"
    found = [settled(row) for row in answer]
    return sorted((row for row in found if row.get("name") not in MOVING), key=repr)


def record(node: Node, path: Path, shell: str = "sh", env: Mapping[str, str] | None = None) -> RecordedTarget:
    """Run the script on a node, and open what it wrote."""
    done = node.run([*shell.split(), "-s", str(path)], input=script(), env=env)
    assert done.stdout == ""
    assert done.stderr.endswith(f"wrote {path}\n")
    (recorded,) = open_recordings([path])
    return recorded


@pytest.fixture
def node1(net: Net) -> Node:
    """Build a cluster, and give its first node, which sees its pods as a real node does."""
    fabric = fabrics.build(net, "calico", nodes=2, pods=2)
    node = fabric.nodes["node1"]
    show(node, fabric["node1/pod1"])
    show(node, fabric["node1/pod2"], "cni-0815")
    fabric["node1/pod1"].ping(fabric.address("outside"))
    return node


@pytest.fixture
def inside(node1: Node) -> LiveTarget:
    """Look at a node."""
    return LiveTarget("node1", node1.namespaces)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_question_gets_the_same_facts_live_and_recorded(
    node1: Node, inside: LiveTarget, tmp_path: Path, shell: str
) -> None:
    recorded = record(node1, tmp_path / "node1.tar", shell)
    for question in QUESTIONS:
        assert rows(recorded, question) == rows(inside, question), question


def test_rules_of_both_iptables_are_recorded_where_both_have_some(
    node1: Node, inside: LiveTarget, tmp_path: Path
) -> None:
    node1.run("iptables-legacy -A FORWARD -j ACCEPT; ip6tables-legacy -t mangle -A INPUT -j ACCEPT")
    recorded = record(node1, tmp_path / "node1.tar")
    assert rows(recorded, Question("chain")) == rows(inside, Question("chain"))
    backends = {(row["backend"], row["family"]) for row in rows(recorded, Question("chain"))}
    assert backends == {("nft", "ip"), ("legacy", "ip"), ("legacy", "ip6")}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_namespaces_are_those_that_a_live_look_on_the_node_finds(
    node1: Node, tmp_path: Path, shell: str
) -> None:
    recorded = record(node1, tmp_path / "node1.tar", shell)
    found = recorded.observe(Question("netns"))
    assert isinstance(found, tuple), found
    seen = json.loads(node1.run([sys.executable, "-c", FROM_INSIDE]).stdout)
    assert [[row.name, row.inode, row.kind, row.nsid, row.pid] for row in found] == seen
    assert [row.kind for row in found] == ["pod", "pod"]


def verdicts(target: LiveTarget | RecordedTarget) -> dict[str, tuple[Verdict, tuple[str, ...]]]:
    """Judge everything that is built in: each check's verdict, and what it is told by."""
    library = Library()
    suites = [library.load(path) for path in builtin_suites()]
    judge = Judge(target, library.suites)
    found = {suite.name: judge.applies(suite) for suite in suites}
    for suite in suites:
        if found[suite.name].verdict is Verdict.PASS:
            found |= {check.id: judge.judge(check) for check in suite.checks.values()}
    return {name: (each.verdict, tuple(map(str, each.telling))) for name, each in found.items()}


@pytest.mark.parametrize("fault", [False, True], ids=["healthy", "after a network restart"])
def test_every_built_in_check_comes_to_the_same_verdict(
    node1: Node, inside: LiveTarget, tmp_path: Path, fault: bool
) -> None:
    if fault:
        node1.run("rm /etc/sysctl.d/90-forwarding.conf; network-service restart; calico-node restart")
    live, recorded = verdicts(inside), verdicts(record(node1, tmp_path / "node1.tar"))
    assert recorded == live
    failing = [name for name, (verdict, _) in live.items() if verdict is Verdict.FAIL and "::" in name]
    wanted = ["kubernetes-node::forwarding", "kubernetes-node::forwarding-survives"]
    assert failing == (wanted if fault else [])


def test_any_user_can_judge_recordings_with_pytest(net: Net, nobody: Nobody, tmp_path: Path) -> None:
    fabric = fabrics.build(net, "calico", nodes=2, pods=1)
    for name, node in fabric.nodes.items():
        if name == "node1":
            node.run("rm /etc/sysctl.d/90-forwarding.conf; network-service restart; calico-node restart")
        record(node, tmp_path / f"{name}.tar")
        os.chown(tmp_path / f"{name}.tar", 65534, 65534)
    done = nobody(*PYTEST, "-v", "--netconform-replay", "node1.tar", "node2.tar")
    for line in (
        "suites/kubernetes-node.suite.yaml::forwarding@node1 FAILED",
        "suites/kubernetes-node.suite.yaml::forwarding@node2 PASSED",
        "suites/calico.suite.yaml::pods-are-routed@node1 PASSED",
        " kubernetes-node::forwarding on node1",
        "  netconf eth0 forwarding: expected true, got false",
    ):
        assert line in done.stdout, done.stdout
    assert "2 failed" in done.stdout
    assert "error" not in done.stdout


WITHOUT = """
for place in /usr/sbin /usr/bin; do
    hidden=$(mktemp -d -p /run)
    for tool; do
        [ ! -e $place/$tool ] || mknod $hidden/$tool c 0 0
    done
    mount -t overlay -o ro,lowerdir=$hidden:$place overlay $place
done
"""


def take_away(node: Node, *tools: str) -> None:
    """Hide tools of a node, in overlayfs' own terms."""
    node.run(["sh", "-ec", WITHOUT, "sh", *tools])


@pytest.mark.parametrize("shell", ["dash", "bash --posix"])
def test_a_missing_tool_is_an_error_of_what_it_would_have_told_alone(
    node1: Node, inside: LiveTarget, tmp_path: Path, shell: str
) -> None:
    expected = {question: rows(inside, question) for question in QUESTIONS if question.table != "chain"}
    del expected[Question("fdb")]
    take_away(node1, "bridge", "ip6tables-nft-save", "lsns", "timeout")
    recorded = record(node1, tmp_path / "node1.tar", shell)
    assert {question: rows(recorded, question) for question in expected} == expected
    missing = "`%s` could not be run: %s: not found (when the node was recorded)"
    assert recorded.observe(Question("fdb")) == Unknown(missing % ("bridge -d -j fdb", "bridge"))
    wanted = missing % ("ip6tables-nft-save -c", "ip6tables-nft-save")
    assert recorded.observe(Question("chain")) == Unknown(wanted)
    kinds = [row.kind for row in recorded.observe(Question("netns"))]  # type: ignore[union-attr, attr-defined]
    assert kinds == ["pod", "pod"]


@pytest.mark.parametrize("shell", ["dash", "bash --posix"])
def test_what_the_script_itself_works_with_may_be_missing_too(
    node1: Node, inside: LiveTarget, tmp_path: Path, shell: str
) -> None:
    take_away(node1, "stat", "grep", "egrep", "sha256sum", "sort", "readlink", "timeout", "lsns")
    recorded = record(node1, tmp_path / "node1.tar", shell)
    for table in ("link", "route", "chain"):
        assert rows(recorded, Question(table)) == rows(inside, Question(table))
    for question, said in (
        (Question("netconf"), "`grep -r /proc/sys/net` could not be run: grep: not found"),
        (Question("file", "/etc/os-release"), "/etc/os-release: what it is could not be read"),
        (Question("netns"), "some processes could not be looked at"),
    ):
        answer = recorded.observe(question)
        assert isinstance(answer, Unknown), question
        assert said in answer.reason
    assert recorded.observe(Question("file", "/run/flannel/subnet.env")) == ()


def test_without_readlink_only_links_are_not_known(node1: Node, inside: LiveTarget, tmp_path: Path) -> None:
    node1.run("ln -s 10-calico.conflist /etc/cni/net.d/link")
    take_away(node1, "readlink")
    recorded = record(node1, tmp_path / "node1.tar", "dash")
    conflist = Question("file", "/etc/cni/net.d/10-calico.conflist")
    assert rows(recorded, conflist) == rows(inside, conflist)
    answer = recorded.observe(Question("file", "/etc/cni/net.d/link"))
    assert isinstance(answer, Unknown)
    assert answer.reason.startswith("/etc/cni/net.d/link: what it is could not be read")


def test_without_tar_it_says_so_before_it_begins(node1: Node, tmp_path: Path) -> None:
    take_away(node1, "tar")
    done = node1.run(["dash", "-s", str(tmp_path / "node1.tar")], input=script(), check=False)
    assert (done.returncode, done.stderr) == (1, "tar: not found\n")


def test_without_nsenter_the_node_is_recorded_and_its_pods_are_errors(node1: Node, tmp_path: Path) -> None:
    take_away(node1, "nsenter")
    recorded = record(node1, tmp_path / "node1.tar", "dash")
    rows(recorded, Question("link"))
    places = recorded.places()
    assert not isinstance(places, Unknown)
    assert len(places) == 2
    for _, pod in places:
        for question in (Question("route"), Question("chain"), Question("sysctl", "net.ipv4.ip_forward")):
            answer = pod.observe(question)
            assert isinstance(answer, Unknown), question
            assert "could not be run: nsenter: not found" in answer.reason


def test_busybox_alone_records_what_it_can(node1: Node, inside: LiveTarget, tmp_path: Path) -> None:
    node1.run("cp $(command -v busybox) /run/netconform/busybox; mkdir /run/empty")
    expected = {question: rows(inside, question) for question in QUESTIONS if question.of is not None}
    expected[Question("netconf")] = rows(inside, Question("netconf"))
    alone = "mount --bind /run/empty /usr/sbin && mount --bind /run/empty /usr/bin && exec $0 sh -s $1"
    shell = ["unshare", "--mount", "sh", "-c", alone, "/run/netconform/busybox"]
    node1.run([*shell, str(tmp_path / "node1.tar")], input=script())
    recorded = open_recordings([tmp_path / "node1.tar"])[0]
    assert {question: rows(recorded, question) for question in expected} == expected
    for table in ("link", "netns"):  # only ip can tell whether a namespace's veth leads to the node
        answer = recorded.observe(Question(table))
        assert isinstance(answer, Unknown)
        assert answer.reason.startswith("`ip -s -d -j addr` exited with 1: "), answer.reason


NAMES = [
    "with blanks.conf",
    "tab\t.conf",
    "new\nline.conf",
    "back\\slash\\n.conf",
    "quote'\".conf",
    "$(touch pwned).conf",
    "`touch pwned`;touch pwned.conf",
    "-rf.conf",
    "*.conf",
    "[a].conf",
    "?.conf",
    "\x1b[31mred\r\x0b.conf",
    "caf\u00e9.conf",
    "\udcff.conf",
    "n" * 250 + ".conf",
    ".hidden.conf",
]


def litter() -> None:
    """Leave in the watched directories what is no plain file, or leads elsewhere."""
    cni, sysctl = Path("/etc/cni/net.d"), Path("/etc/sysctl.d")
    os.mkfifo(cni / "fifo")
    (cni / "directory").mkdir()
    (cni / "dangling").symlink_to("nowhere")
    (cni / "loop").symlink_to("loop")
    (cni / "large").write_bytes(bytes((1 << 20) + 1))
    (cni / "binary").write_bytes(b"a\0b\xff\r\n")
    (sysctl / "masked.conf").symlink_to("/dev/null")
    (sysctl / "to.conf").symlink_to("a\nb\tc\\n")
    (sysctl / "a\nb\tc\\n").write_text("net.ipv4.ip_forward = 1\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_file_names_do_no_harm_whatever_is_in_them(
    node1: Node, inside: LiveTarget, tmp_path: Path, shell: str
) -> None:
    for name in NAMES:
        node1.write(f"/etc/sysctl.d/{name}", f"net.ipv4.ip_forward = {len(name)}")
    node1.call(litter)
    recorded = record(node1, tmp_path / "node1.tar", shell)
    for question in QUESTIONS:
        if question.table in ("file", "persisted"):
            assert rows(recorded, question) == rows(inside, question), question
    watched = Question("file", "/etc/sysctl.d/*.conf")
    paths = {row["path"] for row in rows(recorded, watched)}
    assert paths >= {f"/etc/sysctl.d/{name}" for name in NAMES[:-1]}
    assert "/etc/sysctl.d/.hidden.conf" not in paths
    for directory in (tmp_path, Path("/run"), Path("/etc/sysctl.d"), Path("/")):
        assert not node1.call(Path(directory, "pwned").exists)


HOSTILE = "$(touch pwned); \x1b[31m`id`\n\t'\""


def test_names_of_namespaces_do_no_harm_whatever_is_in_them(node1: Node, tmp_path: Path, net: Net) -> None:
    show(node1, net["node1/pod1"], HOSTILE)
    node1.run("echo > /run/netns/stale")
    recorded = record(node1, tmp_path / "node1.tar")
    assert {row["name"] for row in rows(recorded, Question("netns"))} == {HOSTILE, "cni-0815"}
    seen = json.loads(node1.run([sys.executable, "-c", FROM_INSIDE]).stdout)
    assert {row[0] for row in seen} == {HOSTILE, "cni-0815"}
    assert not node1.call(Path("/pwned").exists)


def test_keys_and_tokens_stay_on_the_node(node1: Node, inside: LiveTarget, tmp_path: Path) -> None:
    key, token = "0123:4567:89ab:cdef:0123:4567:89ab:cdef", "eyJhbGciOiJSUzI1NiJ9"
    node1.sysctl["net.ipv6.conf.default.stable_secret"] = key
    node1.sysctl["net.ipv4.tcp_fastopen_key"] = "a1b2c3d4-e5f6a7b8-c9d0e1f2-a3b4c5d6"
    for path in ("/etc/cni/net.d/calico-kubeconfig", "/etc/kubernetes/kubelet.conf"):
        node1.write(path, f"token: {token}\n")
    recorded = record(node1, tmp_path / "node1.tar")
    content = (tmp_path / "node1.tar").read_bytes()
    for secret in (key, token, "a1b2c3d4"):
        assert secret.encode() not in content
    for target in (inside, recorded):
        (row,) = rows(target, Question("file", "/etc/kubernetes/kubelet.conf"))
        assert (row["type"], row["text"]) == ("file", None)
        for name in ("net.ipv6.conf.default.stable_secret", "net.ipv4.tcp_fastopen_key"):
            answer = target.observe(Question("sysctl", name))
            assert isinstance(answer, Unknown)
            assert "is a secret, and left alone" in answer.reason


@pytest.mark.parametrize("shell", SHELLS)
def test_standard_output_carries_the_recording_and_nothing_else(
    node1: Node, tmp_path: Path, shell: str
) -> None:
    with (tmp_path / "node1.tar").open("wb") as out, (tmp_path / "said").open("w+") as said:
        process = node1.popen([*shell.split(), "/run/record.sh", "-"], stdout=out, stderr=said)
        assert process.wait() != 0, "there is no script yet"
        node1.write("/run/record.sh", script())
        process = node1.popen([*shell.split(), "/run/record.sh", "-"], stdout=out, stderr=said)
        assert process.wait() == 0
    recorded = open_recordings([tmp_path / "node1.tar"])[0]
    assert recorded.name == "node1"
    assert rows(recorded, Question("link"))


def test_what_is_no_file_is_not_written_to(node1: Node, tmp_path: Path) -> None:
    for place in ("/dev/null", "/run"):
        done = node1.run(["sh", "-s", place], input=script(), check=False)
        assert done.returncode == 1
        assert done.stderr == f"{place} is no file; - is standard output\n"
    victim, out = tmp_path / "victim", tmp_path / "node1.tar"
    victim.write_text("untouched")
    Path(f"{out}.part").symlink_to(victim)
    done = node1.run(["sh", "-s", str(out)], input=script(), check=False)
    assert done.returncode == 1
    assert f"{out}.part cannot be written" in done.stderr
    assert (victim.read_text(), out.exists()) == ("untouched", False)


def test_a_recording_there_is_replaced_and_a_link_to_another_file_is_not_followed(
    node1: Node, tmp_path: Path
) -> None:
    victim, out = tmp_path / "victim", tmp_path / "node1.tar"
    victim.write_text("untouched")
    out.symlink_to(victim)
    for _ in range(2):
        assert record(node1, out).name == "node1"
    assert victim.read_text() == "untouched"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node1.tar", "victim"]


SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)


@pytest.fixture
def heeded() -> Iterator[None]:
    """Heed SIGINT: a shell's background job comes with it ignored, and so would what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_ends_it_at_once_and_leaves_nothing_behind(
    node1: Node, eventually: Eventually, shell: str, number: signal.Signals
) -> None:
    node1.write("/run/record.sh", script())
    node1.write("/run/tools/bridge", "#!/bin/sh\necho $$ > /run/hung\nexec sleep 1000\n")
    node1.run("chmod +x /run/tools/bridge; mkdir /run/tmp")
    env = {"PATH": f"/run/tools:{os.environ['PATH']}", "TMPDIR": "/run/tmp"}
    process = node1.popen([*shell.split(), "/run/record.sh", "/run/out.tar"], env=env)
    assert eventually(lambda: node1.run("cat /run/hung", check=False).stdout != "")
    assert node1.run("ls /run/tmp").stdout != ""
    process.send_signal(number)
    assert process.wait(10) == 128 + number
    assert node1.run("ls /run/tmp; ls /run/out*", check=False).stdout == ""
    assert node1.run("kill -0 $(cat /run/hung)", check=False).returncode != 0


@pytest.mark.parametrize("shell", SHELLS)
def test_a_tool_that_hangs_is_an_error_of_its_own(node1: Node, tmp_path: Path, shell: str) -> None:
    node1.write("/run/tools/bridge", "#!/bin/sh\necho so far\nexec sleep 1000\n")
    node1.run("chmod +x /run/tools/bridge")
    hasty = script().replace('"$timeout" 60', '"$timeout" 0.3')
    assert hasty != script()
    env = {"PATH": f"/run/tools:{os.environ['PATH']}"}
    node1.run([*shell.split(), "-s", str(tmp_path / "node1.tar")], input=hasty, env=env)
    recorded = open_recordings([tmp_path / "node1.tar"])[0]
    answer = recorded.observe(Question("fdb"))
    assert isinstance(answer, Unknown)
    assert answer.reason.startswith("`bridge -d -j fdb` exited with ")
    assert rows(recorded, Question("route"))


@pytest.mark.parametrize("shell", SHELLS)
def test_a_table_that_changed_meanwhile_is_recorded_once_more(
    node1: Node, tmp_path: Path, shell: str
) -> None:
    warned = "echo 'Dump was interrupted and may be inconsistent.' >&2"
    node1.write("/run/tools/bridge", f"#!/bin/sh\n[ -e /run/tried ] || {warned}; : >/run/tried; echo []\n")
    node1.write("/run/tools/ip", f"#!/bin/sh\n{warned}; echo []\n")
    node1.run("chmod +x /run/tools/*")
    env = {"PATH": f"/run/tools:{os.environ['PATH']}"}
    node1.run([*shell.split(), "-s", str(tmp_path / "node1.tar")], input=script(), env=env)
    recorded = open_recordings([tmp_path / "node1.tar"])[0]
    assert recorded.observe(Question("fdb")) == ()
    answer = recorded.observe(Question("route"))
    assert isinstance(answer, Unknown)
    assert answer.reason.endswith("Dump was interrupted when the node was recorded")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_that_blocks_is_an_error_of_its_own(node1: Node, tmp_path: Path, shell: str) -> None:
    suite = tmp_path / "blocking.suite.yaml"
    suite.write_text("suite: blocking\nchecks: {log: {file: {path: /proc/kmsg, text: present}}}\n")
    hasty = script([suite]).replace("${timeout:+10}", "${timeout:+0.3}")
    node1.run([*shell.split(), "-s", str(tmp_path / "node1.tar")], input=hasty)
    answer = open_recordings([tmp_path / "node1.tar"])[0].observe(Question("file", "/proc/kmsg"))
    assert answer == Unknown("/proc/kmsg: cannot be read (when the node was recorded)")


def test_without_root_it_refuses_and_says_why(nobody: Nobody, tmp_path: Path) -> None:
    (tmp_path / "record.sh").write_text(script())
    for shell in SHELLS:
        done = nobody(*shell.split(), "record.sh", "out.tar")
        assert done.returncode == 1
        assert done.stderr == "run as root: what may not be read would look as if it were not there\n"
    assert [path.name for path in tmp_path.iterdir()] == ["record.sh"]
