"""Namespaces that exist already, and those that pytest runs in."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.errors import CommandFailed, Unreadable
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.nodes import Node

NodeMaker = Callable[[str], Node]


def test_here_opens_nothing_and_calls_directly(descriptors: Callable[[], int]) -> None:
    before = descriptors()
    here = Namespaces.here("this node")
    assert descriptors() == before
    assert here.call(threading.get_ident) == threading.get_ident()
    assert here.inode == Path("/proc/self/ns/net").stat().st_ino
    assert here.run("readlink /proc/self/ns/pid").stdout == os.readlink("/proc/self/ns/pid") + "\n"  # noqa: PTH115
    here.close()


def test_those_of_a_process_can_be_opened(node: NodeMaker, descriptors: Callable[[], int]) -> None:
    one = node("one")
    one.write("/etc/mark", "one's")
    pid = one.popen("sleep 60").pid
    before = descriptors()
    opened = Namespaces.opened("its", f"/proc/{pid}/ns/net", f"/proc/{pid}/ns/mnt")
    assert opened.inode == one.namespaces.inode
    assert opened.run("cat /etc/mark").stdout == "one's"
    assert opened.call(Path("/etc/mark").read_text) == "one's"
    opened.close()
    opened.close()
    assert descriptors() == before
    assert one.run("true").returncode == 0


def test_the_network_alone_can_be_opened(node: NodeMaker) -> None:
    one = node("one")
    pid = one.popen("sleep 60").pid
    opened = Namespaces.opened("its", f"/proc/{pid}/ns/net")
    try:
        assert opened.run("cat /etc/hostname").stdout == Path("/etc/hostname").read_text()
        inode = opened.call(lambda: Path("/proc/thread-self/ns/net").stat().st_ino)
        assert inode == opened.inode == one.namespaces.inode
    finally:
        opened.close()


def test_a_command_in_opened_namespaces_is_no_part_of_a_pid_namespace(node: NodeMaker) -> None:
    pid = node("one").popen("sleep 60").pid
    opened = Namespaces.opened("its", f"/proc/{pid}/ns/net")
    try:
        assert opened.run("readlink /proc/self/ns/pid").stdout == os.readlink("/proc/self/ns/pid") + "\n"  # noqa: PTH115
        with pytest.raises(CommandFailed, match="its: `false` exited with 1"):
            opened.run("false")
    finally:
        opened.close()


@pytest.mark.parametrize(
    ("net", "mnt", "words"),
    [
        ("{tmp}/mistyped", None, "its: .*/mistyped: No such file or directory"),
        ("{tmp}", None, "its: .* is no network namespace"),
        ("/proc/self/ns/mnt", None, "/proc/self/ns/mnt is no network namespace"),
        ("/proc/self/ns/net", "/proc/self/ns/net", "/proc/self/ns/net is no mount namespace"),
        ("/proc/self/ns/net", "{tmp}/mistyped", "mistyped: No such file"),
    ],
)
def test_what_is_no_namespace_is_refused_and_not_created(
    tmp_path: Path, descriptors: Callable[[], int], net: str, mnt: str | None, words: str
) -> None:
    before = descriptors()
    with pytest.raises(Unreadable, match=words):
        Namespaces.opened("its", net.format(tmp=tmp_path), mnt and mnt.format(tmp=tmp_path))
    assert descriptors() == before
    assert list(tmp_path.iterdir()) == []
