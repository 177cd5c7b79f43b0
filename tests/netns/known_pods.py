"""Pods that a node of a test knows of, as a real node does: by their processes, or by a name."""

from __future__ import annotations

import subprocess

from pytest_netconform.nodes import Netns, Node


def show(node: Node, pod: Netns, name: str = "") -> None:
    """Have a process of the node live in a pod or, with a name, have that lead to it."""
    net = pod.namespaces.net
    assert net is not None
    path = f"/proc/self/fd/{net}"
    if name:
        node.run(["mkdir", "-p", "/run/netns"])
        node.write(f"/run/netns/{name}", "")
        mounted = node.popen(["mount", "-c", "--bind", path, f"/run/netns/{name}"], pass_fds=[net])
        assert mounted.wait() == 0
    else:
        live = ["nsenter", f"--net={path}", "sh", "-c", "echo; exec sleep 1000"]
        process = node.popen(live, pass_fds=[net], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.read(1)
