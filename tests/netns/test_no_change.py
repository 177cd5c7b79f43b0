"""A check changes nothing: compared before and after, and watched meanwhile."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from known_pods import show

from pytest_netconform import fabrics
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.nodes import Net, Node
from pytest_netconform.recording import script

Eventually = Callable[[Callable[[], bool]], bool]
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
CHECK = (sys.executable, "-P", "-m", "pytest_netconform.cli", "check")
EVERYTHING = """\
suite: everything
title: Asks everything, of the node and of its pods
checks:
  links: {link: {where: {ifname: lo}, count: 1}}
  addresses: {addr: {ifname: lo, local: 127.0.0.1}}
  routes: {route: {table: local, dst: 127.0.0.1}}
  rules: {rule: {table: local}}
  neighbours: {neigh: {none: {dst: 203.0.113.77}}}
  entries: {fdb: {none: {mac: "02:00:00:00:00:77"}}}
  conf: {netconf: {ifname: lo, family: inet}}
  chains: {chain: {none: {name: NO-SUCH}}}
  value: {sysctl: {net.ipv4.ip_forward: 1}}
  values: {sysctl: {where: {name: "net.ipv6.conf.*.forwarding"}, each: {value: {any_of: [0, 1]}}}}
  file: {file: {path: /etc/hostname, type: file}}
  files: {file: {where: {path: "/etc/cni/net.d/*"}, count: 1}}
  persisted: {persisted: {net.ipv4.ip_forward: 1}}
  pods: {netns: {where: {kind: pod}, count: 2}}
  inside: {in: {netns: {kind: pod}}, route: {dst: default}}
  rules-inside: {in: {netns: {kind: pod}}, chain: {none: {name: NO-SUCH}}}
  missing: {link: {ifname: no-such}}
"""
RUNS = {
    "netconform check": [*CHECK],
    "netconform check of a suite": [*CHECK, "everything.suite.yaml"],
    "netconform check with workers": [*CHECK, "everything.suite.yaml", "-n", "2"],
    "pytest --netconform": [*PYTEST, "--netconform", "everything.suite.yaml"],
    "the recording script": ["sh", "../record.sh", "-"],
}
ENDS = dict.fromkeys(RUNS, "== 1 failed, 16 passed in ") | {
    "netconform check": "== 19 passed in ",
    "the recording script": "node1/SHA256SUMS",
}

COMMANDS = (
    *("ip -j -d addr", "ip -j -4 route show table all", "ip -j -6 route show table all"),
    *("ip -j -4 rule", "ip -j -6 rule", "ip -j nexthop", "bridge -j -d link", "ip netns list-id"),
    *("nft -s -a list ruleset", "iptables-nft-save", "ip6tables-nft-save", "ipset save", "ls /run/netns"),
    *("cat /proc/net/ip_tables_names /proc/net/ip6_tables_names", "cat /proc/modules"),
    *("cat /proc/self/mountinfo", "cat /proc/net/dev_mcast", "cat /proc/net/packet"),
)
MARK = "203.0.113."
LOGS = ("/run/watch.",)
PLACES = ("/etc", "/run", "/var/lib", "/var/log")
VOLATILE = "-e nf_conntrack_count -e stable_secret -e fastopen_key"
SYSCTLS = f"grep -r '' /proc/sys/net 2>/dev/null | grep -v {VOLATILE}"
MOVING = re.compile(r'"(?:valid|preferred)_life_time":\d+|"expires":\d+|^#.*', re.MULTILINE)


def state(place: Namespaces, *commands: str) -> dict[str, str]:
    """Observe what a check could change, by the tools of the system."""
    return {command: MOVING.sub("", place.run(command, check=False).stdout) for command in commands}


def files(place: Namespaces, *directories: str) -> set[str]:
    """List what stands in directories; when it changed, but for directories: overlayfs changes those."""
    form = ["-type", "d", "-printf", "%p %m\\n", "-o", "-printf", "%p %y %m %s %C@\\n"]
    found = place.run(["find", *directories, *form], check=False).stdout.splitlines()
    return {line for line in found if not line.startswith(LOGS)}


def environment(place: str) -> dict[str, str]:
    """Send what a program keeps for itself, or for a while, to where it is seen."""
    return {
        "HOME": f"{place}/home",
        "TMPDIR": f"{place}/tmp",
        "XDG_CACHE_HOME": f"{place}/home",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }


def furnish(directory: Path) -> None:
    for name in ("work", "home", "tmp"):
        (directory / name).mkdir(parents=True)
    (directory / "record.sh").write_text(script())
    (directory / "work" / "everything.suite.yaml").write_text(EVERYTHING)


@pytest.fixture
def node1() -> Iterator[Node]:
    """Build a node that knows of its pods, with directories to check it from."""
    with Net() as net:
        fabric = fabrics.build(net, "calico", nodes=1, pods=2)
        node = fabric.nodes["node1"]
        show(node, fabric["node1/pod1"])
        show(node, fabric["node1/pod2"], "cni-0815")
        node.call(furnish, Path("/run/user"))
        yield node


class Watch:
    """What the kernel announces of a namespace, as `ip monitor` and `nft monitor` tell it."""

    def __init__(self, node: Node, name: str, enter: str, eventually: Eventually) -> None:
        self.node, self.enter, self.eventually = node, enter, eventually
        self.logs = {f"/run/watch.{name}.ip": "ip -o monitor all", f"/run/watch.{name}.nft": "nft monitor"}
        for log, command in self.logs.items():
            node.popen(f"exec {enter} {command} > {log} 2>&1")
        self.numbers = count()
        self.heard: dict[str, int] = {}

    def mark(self) -> bool:
        """Change something, and say whether the watchers have heard all of it."""
        number = next(self.numbers)
        address, table = f"{MARK}{number}/32", f"mark{number}"
        for command in (f"ip addr %s {address} dev lo", f"nft %s table ip {table}"):
            self.node.run(f"{self.enter} {command % 'add'}; {self.enter} {command % 'delete'}")
        ends = (rf"\[ADDR\]Deleted .*{address}.*\n", rf"delete table ip {table}\n# new generation .*\n")

        def heard() -> bool:
            told = map(self.node.read, self.logs)
            return all(re.search(end, text) for end, text in zip(ends, told, strict=True))

        return self.eventually(heard)

    def since(self) -> list[str]:
        """Give what was announced since the last call, less the marks."""
        found = []
        for log in self.logs:
            told = self.node.read(log)
            found += told[self.heard.get(log, 0) :].splitlines()
            self.heard[log] = len(told)
        # the kernel's own reports of the groups that it listens to make neighbours of these
        ours = re.compile(rf"{MARK}\d|table ip mark\d|# new generation|ff02::\S+ .*\bNOARP\b")
        return [line for line in found if not ours.search(line)]


def test_the_watchers_hear_of_a_change_and_the_state_shows_it(node1: Node, eventually: Eventually) -> None:
    watch = Watch(node1, "node", "", eventually)
    assert watch.mark() or watch.mark()
    watch.since()
    before = state(node1.namespaces, *COMMANDS)
    node1.run("ip route add 198.18.0.0/15 dev lo; iptables -A INPUT -j ACCEPT; ip link add v0 type veth")
    after = state(node1.namespaces, *COMMANDS)
    assert watch.mark()
    heard = "\n".join(watch.since())
    assert all(word in heard for word in ("198.18.0.0/15", "add rule ip filter INPUT", "v0@"))
    changed = {command for command in COMMANDS if after[command] != before[command]}
    assert changed >= {"ip -j -d addr", "ip -j -4 route show table all", "iptables-nft-save"}


@pytest.mark.root("only root may list the legacy tables of a node from inside")
@pytest.mark.parametrize("run", RUNS)
def test_a_node_and_its_pods_are_as_they_were(node1: Node, eventually: Eventually, run: str) -> None:
    inside = "nsenter --net=/run/netns/cni-0815"
    watches = [Watch(node1, "node", "", eventually), Watch(node1, "pod", inside, eventually)]
    for watch in watches:
        assert watch.mark() or watch.mark(), "the watchers do not listen"
        watch.since()
    commands = (*COMMANDS, SYSCTLS, *(f"{inside} {command}" for command in COMMANDS))
    before = state(node1.namespaces, *commands), files(node1.namespaces, *PLACES)
    command = ["sh", "-c", 'cd /run/user/work && exec "$@"', "sh", *RUNS[run]]
    done = node1.run(command, env=environment("/run/user"), check=False)
    after = state(node1.namespaces, *commands), files(node1.namespaces, *PLACES)
    assert all(watch.mark() for watch in watches), "the watchers have stopped listening"
    assert [watch.since() for watch in watches] == [[], []]
    assert after == before
    assert ENDS[run] in done.stdout, done.stdout


@pytest.mark.parametrize("run", ["netconform check", "netconform check with workers"])
def test_this_machine_is_as_it_was(tmp_path: Path, run: str) -> None:
    furnish(tmp_path)
    here = Namespaces.here("here")
    before = state(here, *COMMANDS, SYSCTLS), files(here, str(tmp_path), "/run/netns")
    command = ["sh", "-c", 'cd "$0" && exec "$@"', f"{tmp_path}/work", *RUNS[run]]
    done = here.run(command, env=environment(str(tmp_path)), check=False)
    after = state(here, *COMMANDS, SYSCTLS), files(here, str(tmp_path), "/run/netns")
    assert " passed" in done.stdout, done.stdout
    assert after == before
