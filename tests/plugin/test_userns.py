"""The fixtures as an ordinary user: in a user namespace that the run enters at its start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.making import userns

Nobody = Callable[..., subprocess.CompletedProcess[str]]
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs")
TESTS = """
import os, subprocess, sys, threading
from pathlib import Path

def test_nodes(node, veth):
    one, other = node("one"), node("other")
    veth(one, other, subnet="192.0.2.0/30")
    assert one.ping(other).replied
    one.sysctl["net.ipv4.ip_forward"] = 1
    one.run("iptables-nft -A FORWARD -j DROP && ip route add 198.51.100.0/24 via 192.0.2.2")
    one.run("hostname elsewhere && ip netns add inner && ip netns exec inner ip link set lo up")
    one.run("iptables-legacy -A FORWARD -j DROP && nft add table inet t && sysctl -w net.ipv4.ip_forward=0")
    one.run("echo root2 >> /etc/passwd && touch /etc/ssl/x && rm /etc/group && mkdir -p /etc/iproute2/new")

def test_netns(netns):
    netns("one").run("iptables-legacy -w -A FORWARD -j DROP && ip link add br0 type bridge")

def test_who_we_are(node, tmp_path):
    said = node("one").run("id -u; id -g").stdout.split()
    assert said == [str(os.getuid()), str(os.getgid())]
    assert tmp_path.stat().st_uid == os.getuid()

def test_forks_and_threads(node):
    if (pid := os.fork()) == 0:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    said = []
    thread = threading.Thread(target=lambda: said.append(node("one").run("echo inside").stdout))
    thread.start()
    thread.join()
    assert said == ["inside\\n"]

def test_scripts_inherit_it():
    script = "from pytest_netconform.nodes import Net, enter_userns; enter_userns(); Net().netns('one')"
    subprocess.run([sys.executable, "-c", script], check=True)

def test_files_of_others_stay_closed():
    assert not Path("/etc/shadow").exists() or not can_read("/etc/shadow")

def can_read(path):
    try:
        return bool(Path(path).read_bytes())
    except PermissionError:
        return False
"""
NUMBER = TESTS.count("def test_")


@pytest.fixture
def run(nobody: Nobody, tmp_path: Path) -> Callable[..., str]:
    """Run pytest on these tests as a user without rights; gives what it prints."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become a user who is in no user namespace yet")
    trial = nobody(sys.executable, "-c", "from pytest_netconform.nodes import enter_userns; enter_userns()")
    if trial.returncode:
        pytest.skip(trial.stderr.splitlines()[-1])

    def tested(*options: str, text: str = TESTS, ini: str = "", covering: str = "true") -> str:
        (tmp_path / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
        (tmp_path / "test_it.py").write_text(text)
        done = nobody(*PYTEST, *options, "test_it.py", covering=covering)
        return done.stdout + done.stderr

    return tested


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "with workers"])
@pytest.mark.parametrize(
    ("option", "ini"),
    [("--netconform-userns", ""), ("-v", "netconform_userns = true")],
    ids=["option", "ini"],
)
def test_an_ordinary_user_has_the_fixtures(
    run: Callable[..., str], option: str, ini: str, workers: tuple[str, ...]
) -> None:
    said = run(option, *workers, ini=ini)
    assert f"== {NUMBER} passed in " in said, said
    assert "netconform: in a user namespace, as uid 65534\n" in said


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_without_it_they_skip_and_say_what_to_do(run: Callable[..., str], workers: tuple[str, ...]) -> None:
    said = run(*workers, text="def test_one(netns): pass")
    assert f"needs CAP_SYS_ADMIN and CAP_NET_ADMIN, for namespaces: {userns.WITHOUT_ROOT}\n" in said
    assert "== 1 skipped in " in said


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_where_a_thread_runs_already_it_is_said_and_pytest_goes_on(
    run: Callable[..., str], tmp_path: Path, workers: tuple[str, ...]
) -> None:
    (tmp_path / "early.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    text = "def test_one(netns): pass\ndef test_other(): pass\n"
    said = run("-p", "early", "--netconform-userns", *workers, text=text, ini="pythonpath = .")
    reason = "2 threads run already, and it must be entered before a second starts"
    assert f"netconform: no user namespace: {reason}\n" in said, said
    assert f"run as root, since netconform_userns cannot: {reason}\n" in said
    assert "== 1 passed, 1 skipped in " in said


def test_a_plugin_that_comes_with_a_conftest_enters_too(run: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["pytest_netconform.plugin"]\n')
    options = ("-p", "no:netconform")
    said = run(*options, text="def test_one(netns): netns('one')", ini="netconform_userns = true")
    assert "== 1 passed in " in said, said


def test_a_lab_runs_too(run: Callable[..., str]) -> None:
    said = run("--netconform", "--netconform-userns", "labs/network-restart.lab.yaml", text="")
    assert "== 1 passed in " in said, said


COVERED = "mount -t tmpfs tmpfs /sys/kernel && mount -t tmpfs tmpfs /proc/irq"
READ_ONLY = (
    "mount -o remount,bind,ro /sys && mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys"
)
IN_CONTAINER = """
def test_it(node, netns, veth):
    one = node("one")
    veth(one, netns("two"), subnet="192.0.2.0/30")
    assert one.ping("192.0.2.2").replied
    assert {*one.run("ls /sys/class/net").stdout.split()} == {SHOWN}
    assert one.run("ip -br link | wc -l").stdout == "2\\n"
    assert one.run("readlink /proc/self/ns/net").stdout == f"net:[{one.namespaces.inode}]\\n"
"""


@pytest.mark.parametrize(
    ("covering", "lacks", "shown"),
    [
        (COVERED, "; what is not to be had in it: a /sys of a node's own, a /proc of a node's own", set()),
        (
            READ_ONLY,
            "; what is not to be had in it: sysctls that can be written, a /proc of a node's own",
            {"lo", "eth0"},
        ),
    ],
    ids=["covered", "read-only"],
)
def test_in_a_container_nodes_do_without_what_the_kernel_refuses(
    run: Callable[..., str], covering: str, lacks: str, shown: set[str]
) -> None:
    text = IN_CONTAINER.replace("{SHOWN}", str(shown or "set()"))
    said = run("--netconform-userns", "-n", "1", text=text, covering=covering)
    assert f"netconform: in a user namespace, as uid 65534{lacks}\n" in said, said
    assert "== 1 passed in " in said, said


def test_a_kernel_that_allows_none_is_named_as_the_reason(tmp_path: Path) -> None:
    """In a user namespace of the test's own, for which none may be made inside."""
    (tmp_path / "test_it.py").write_text("def test_one(netns): pass\n")
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces && "
    powerless = "exec setpriv --bounding-set=-all --inh-caps=-all " + '"$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", forbid + powerless, "sh"]
    done = subprocess.run(
        [*command, *PYTEST, "--netconform-userns", "-c", os.devnull, "--rootdir", ".", "test_it.py"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    reason = "unshare(CLONE_NEWUSER): No space left on device; user.max_user_namespaces is 0"
    assert f"netconform: no user namespace: {reason}\n" in done.stdout, done.stdout + done.stderr
    assert f"since netconform_userns cannot: {reason}\n" in done.stdout


@pytest.mark.root("it shows that root needs none")
def test_root_needs_none(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import os\ndef test_one(netns): assert os.stat('/proc/self/ns/user').st_ino == 0xEFFFFFFD"
    )
    result = pytester.runpytest_subprocess("--netconform-userns")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["netconform: no user namespace, for none is needed"])


def test_what_in_the_system_forbids_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "yes").write_text("1\n")
    (tmp_path / "no").write_text("0\n")
    files = {str(tmp_path / "yes"): "1", str(tmp_path / "no"): "1", str(tmp_path / "absent"): "0"}
    monkeypatch.setattr(userns, "FORBIDDEN_BY", files)
    monkeypatch.setattr(userns, "may_make", lambda: False)
    monkeypatch.setattr(userns, "Userns", type("State", (userns.Userns,), {}))

    def refuse() -> None:
        raise PermissionError(1, "refused")

    monkeypatch.setattr(userns, "_check_threads", refuse)
    with pytest.raises(BuildError) as caught:
        userns.enter()
    told = f"refused; {str(tmp_path).replace('/', '.')}.yes is 1"
    assert str(caught.value) == f"user namespace: {told}"
    assert userns.why_not().endswith(f"run as root, since netconform_userns cannot: {told}")
