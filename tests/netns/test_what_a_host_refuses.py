"""Hosts that cannot make what is asked of them: said in one sentence, and nothing stays."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.errors import BuildError, CommandFailed
from pytest_netconform.kernel import syscalls
from pytest_netconform.kernel.making import userns
from pytest_netconform.kernel.processes import inits
from pytest_netconform.nodes import Net, Node


@pytest.mark.parametrize("kind", ["netns", "node"])
def test_without_privilege_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, descriptors: Callable[[], int], kind: str
) -> None:
    def refuse(flags: int) -> None:
        raise OSError(errno.EPERM, f"unshare({syscalls._words(flags)}): {os.strerror(errno.EPERM)}")

    before = descriptors()
    monkeypatch.setattr(syscalls, "unshare", refuse)
    with Net() as net, pytest.raises(BuildError) as caught:
        getattr(net, kind)("one")
    assert str(caught.value).startswith("one: unshare(CLONE_")
    assert str(caught.value).endswith(f"): Operation not permitted; {userns.WITHOUT_ROOT}")
    assert descriptors() == before


@pytest.mark.parametrize(
    ("fstype", "words"),
    [
        pytest.param(
            "overlay",
            r"one: mount\(overlay, /etc\): No such device; a node needs overlayfs for an /etc of its own",
            marks=pytest.mark.root("in a user namespace a node does without overlayfs"),
        ),
        ("sysfs", r"one: mount\(sysfs, /sys\): No such device"),
    ],
)
def test_a_mount_that_is_refused_is_named(
    monkeypatch: pytest.MonkeyPatch, descriptors: Callable[[], int], fstype: str, words: str
) -> None:
    real = syscalls.mount

    def refuse(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
        if kind == fstype:
            raise OSError(errno.ENODEV, f"mount({kind}, {target}): {os.strerror(errno.ENODEV)}")
        real(source, target, kind, flags, options)

    before = descriptors()
    monkeypatch.setattr(syscalls, "mount", refuse)
    with Net() as net, pytest.raises(BuildError, match=words):
        net.node("one")
    assert descriptors() == before


@pytest.mark.skipif(syscalls.in_first_userns(), reason="is about nodes in a user namespace")
@pytest.mark.parametrize("missing", ["overlay", "sysfs"])
def test_in_a_user_namespace_a_node_does_without(
    monkeypatch: pytest.MonkeyPatch, node: Callable[[str], Node], missing: str
) -> None:
    real = syscalls.mount

    def refuse(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
        if kind == missing:
            raise PermissionError(errno.EPERM, "refused")
        real(source, target, kind, flags, options)

    monkeypatch.setattr(syscalls, "mount", refuse)
    one, other = node("one"), node("other")
    one.run("echo x >> /etc/passwd && mkdir /etc/ssl/mine && cp /etc/hosts /etc/hosts2")
    assert one.read("/etc/passwd") == f"{other.read('/etc/passwd')}x\n"
    assert not other.call(Path("/etc/ssl/mine").exists)
    assert (one.read("/etc/hostname"), other.read("/etc/hostname")) == ("one\n", "other\n")
    assert one.run("ls /sys/class/net").stdout == ("lo\n" if missing == "overlay" else "")


def test_a_node_that_cannot_have_its_own_proc_says_so(
    monkeypatch: pytest.MonkeyPatch, descriptors: Callable[[], int]
) -> None:
    monkeypatch.setattr(inits, "PROC", "nothing")
    with Net() as net:
        one = net.node("one")
        before = descriptors()
        for _ in range(2):
            with pytest.raises(BuildError, match=r"one: no PID namespace: mount\(nothing, /proc\): No such"):
                one.run("true")
        assert descriptors() == before
        monkeypatch.undo()
        assert one.run("true").returncode == 0


def build() -> None:
    with Net() as net:
        net.node("one").run("true")
        net.veth(net.netns("two"), net.netns("three"))


def test_running_out_of_descriptors_while_building_leaves_none_open(descriptors: Callable[[], int]) -> None:
    build()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before, refused = descriptors(), []
    for spare in range(20):
        resource.setrlimit(resource.RLIMIT_NOFILE, (before + spare, hard))
        try:
            build()
            break
        except (BuildError, CommandFailed, OSError) as error:
            refused.append(str(error))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert descriptors() == before
    assert len(refused) > 3
    assert all("Too many open files" in words for words in refused)


def test_without_capabilities_the_fixtures_skip_and_say_why(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(userns, "may_make", lambda: False)
    pytester.makepyfile("def test_one(netns): netns('one')")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*needs CAP_SYS_ADMIN and CAP_NET_ADMIN, for namespaces: run as root*"])


def test_root_without_capabilities_is_no_root() -> None:
    assert userns.may_make()
    script = "from pytest_netconform.kernel.making.userns import may_make; print(may_make())"
    command = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", sys.executable, "-c", script]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout == "False\n"


def test_more_hosts_than_descriptors_are_refused_with_the_limit(descriptors: Callable[[], int]) -> None:
    before = descriptors()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 30, limits[1]))
    words = rf"limit is {before + 30} descriptors, see ulimit -n; 51 such namespaces take 51"
    try:
        with Net() as net, pytest.raises(BuildError, match=words):
            net.lan(50, "192.0.2.0/24")
        assert descriptors() == before
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


IN_A_CHROOT = """
import os, sys
os.chroot(sys.argv[1])
os.chdir("/")
from pytest_netconform.errors import BuildError
from pytest_netconform.nodes import Net
with Net() as net:
    net.netns("one").run("true")
    try:
        net.node("two").write("/etc/written-from-a-chroot", "x")
    except BuildError as error:
        print(error)
"""


@pytest.mark.root("only root may change its root")
def test_a_chroot_has_no_nodes_for_they_would_write_the_hosts_files(tmp_path: Path) -> None:
    script = f'mount --rbind / {tmp_path} && exec {sys.executable} -c "$0" {tmp_path}'
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = ["unshare", "--mount", "sh", "-c", script, IN_A_CHROOT]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
    assert done.stdout.startswith("two: nodes cannot be made in a chroot"), done.stderr
    assert not Path("/etc/written-from-a-chroot").exists()
