"""Names that somebody chose to do harm: they reach no shell, fake no line, and are shown as what they are."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from known_pods import show

from pytest_netconform import fabrics
from pytest_netconform.nodes import Net, Node
from pytest_netconform.recording import script

SUITE = """\
suite: mine
title: A suite of a test
checks:
  link: {link: {where: {kind: bridge}, each: {mtu: 17}}, fix: 'ip link set "$link_ifname" mtu 17'}
  alias: {link: {ifname: lo, ifalias: none}, fix: 'echo "$link_ifalias"'}
  none: {link: {none: {kind: bridge}}}
  addr: {addr: {where: {local: 203.0.113.7}, each: {prefixlen: 17}}, fix: 'echo "$addr_label"'}
  route: {route: {where: {dst: 198.18.0.0/15}, each: {dev: x}}, fix: 'ip route del dev "$route_dev"'}
  neigh: {neigh: {where: {dst: 203.0.113.9}, each: {state: STALE}}, fix: 'ip neigh del dev "$neigh_dev"'}
  netconf: {netconf: {where: {family: inet, ifname: "*;*"}, each: {forwarding: false}}}
  chain: {chain: {none: {table: filter, name: INPUT}}}
  rule: {chain: {table: filter, name: INPUT, rules: {count: 0}}}
  comment: {chain: {table: filter, name: INPUT, rules: {each: {comment: x}}}}
  file: {file: {where: {path: "/etc/cni/net.d/*"}, none: {type: file}}}
  text: {file: {where: {path: "/etc/cni/net.d/*"}, each: {text: x}}, fix: 'rm "$file_path"'}
  json: {file: {path: /etc/cni/net.d/10-calico.conflist, json: {name: x}}}
  value: {sysctl: {where: {name: "net.ipv4.conf.*.forwarding"}, each: {value: 17}}, fix: 'x "$sysctl_name"'}
  persisted: {persisted: {net.ipv4.ip_forward: 17}}
  netns: {netns: {where: {kind: pod}, each: {nsid: 99}}, fix: 'ip netns del "$netns_name"'}
  inside: {in: {netns: {kind: pod}}, link: {ifname: no-such}}
  bound: {for: {link: {kind: bridge}}, route: {dev: "${link.ifname}", dst: 192.0.2.99}}
  unread: {file: {path: /etc/cni/closed/x, text: x}}
"""
CHECKS = len(re.findall(r"^  \w+: ", SUITE, re.MULTILINE))
LINE = "  fix  touch /pwned"
HARM = f"$(touch /pwned)`touch /pwned`;touch /pwned\x1b[2J\x1b]0;x\x07\r\n{LINE}\n'\"\\"
IFNAME = ";$(x)\x1b[2J'\""
"""A name of a device has 15 bytes, and no blank, slash or colon."""


@pytest.fixture
def node1() -> Iterator[Node]:
    """Build a node where every name that can be chosen is a trap."""
    with Net() as net:
        fabric = fabrics.build(net, "calico", nodes=1, pods=1)
        node = fabric.nodes["node1"]
        show(node, fabric["node1/pod1"], HARM.replace("/", "|"))
        for command in (
            ["ip", "link", "set", "lo", "alias", HARM],
            ["ip", "link", "add", IFNAME, "type", "bridge"],
            ["ip", "link", "set", IFNAME, "alias", HARM, "up"],
            ["ip", "addr", "add", "203.0.113.7/24", "dev", IFNAME],
            ["ip", "route", "add", "198.18.0.0/15", "dev", IFNAME],
            ["ip", "neigh", "add", "203.0.113.9", "lladdr", "02:00:00:00:00:09", "dev", IFNAME],
            ["iptables", "-A", "INPUT", "-m", "comment", "--comment", HARM, "-j", "ACCEPT"],
        ):
            node.run(command)
        node.write(f"/etc/cni/net.d/{HARM.replace('/', '|')}", HARM)
        node.write(f"/etc/sysctl.d/{HARM.replace('/', '|')}.conf", f"net.ipv4.ip_forward = {HARM}")
        node.write("/run/work/mine.suite.yaml", SUITE)
        yield node


def judge(node: Node, *options: str) -> str:
    """Judge the node from inside; gives all that is printed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-rA",
        "-vv",
        "mine.suite.yaml",
        *options,
    ]
    env = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"}
    done = node.run(["sh", "-c", 'cd /run/work && exec "$@"', "sh", *command], env=env, check=False)
    return done.stdout + done.stderr


def harmed(node: Node) -> bool:
    return node.call(Path("/pwned").exists) or Path("/pwned").exists()


@pytest.mark.root("only root may list the legacy tables of a node from inside")
@pytest.mark.parametrize(
    "options", [("--netconform",), ("--netconform", "-n", "2")], ids=["alone", "with workers"]
)
def test_a_live_node_is_judged_and_shown_harmlessly(node1: Node, options: tuple[str, ...]) -> None:
    said = judge(node1, *options)
    assert f"== {CHECKS} failed in " in said, said
    assert "Traceback" not in said
    shown_harmlessly(said)
    assert not harmed(node1)


@pytest.mark.root("a recording is made by root, who may read everything")
def test_a_recording_is_judged_and_shown_harmlessly(node1: Node) -> None:
    node1.run(["sh", "-s", "/run/work/node1.tar"], input=script())
    said = judge(node1, "--netconform-replay", "node1.tar")
    assert f"== {CHECKS - 1} failed, 1 error in " in said, "nobody looked for the last file\n" + said
    assert "nsid: expected 99, got absent" not in said
    assert "Traceback" not in said
    shown_harmlessly(said)
    assert not harmed(node1)


def shown_harmlessly(said: str) -> None:
    """Hold a text to what it may do to a terminal: write lines of its own, and nothing else."""
    assert {char for char in said if not char.isprintable()} <= {"\n"}
    assert [line for line in said.splitlines() if line.strip().startswith("fix  touch")] == []


def test_reports_for_machines_are_whole(node1: Node) -> None:
    judge(node1, "--netconform", "--alluredir", "allure", "--junitxml", "junit.xml")
    results = [
        json.loads(node1.read(path)) for path in node1.run("ls /run/work/allure/*-result.json").stdout.split()
    ]
    assert len(results) == CHECKS
    for result in results:
        shown_harmlessly(result["statusDetails"]["message"])
        for step in result.get("steps", []):
            shown_harmlessly(step["name"])
    tests = ElementTree.fromstring(node1.read("/run/work/junit.xml")).iter("testcase")
    assert len(list(tests)) == CHECKS
