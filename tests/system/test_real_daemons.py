"""Real daemons in nodes: dnsmasq, BIRD and sshd, each on a machine of its own as it were."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.processes.commands import SBIN
from pytest_netconform.nodes import Node

pytestmark = [
    pytest.mark.namespaces,
    pytest.mark.root("daemons change their user, and a user namespace has one"),
]
NodeMaker = Callable[[str], Node]
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), *SBIN])


def program(name: str) -> str:
    """Find a daemon's program, or skip."""
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def eventually(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        os.sched_yield()
    return True


@pytest.fixture
def pair(node: NodeMaker, veth: Callable[..., object]) -> tuple[Node, Node]:
    left, right = node("left"), node("right")
    veth(left, right, subnet="192.0.2.0/30")
    return left, right


DNSMASQ = "--keep-in-foreground --log-facility=- --no-resolv --no-hosts --port=53 --user=root --pid-file"


def test_dnsmasq_answers(pair: tuple[Node, Node]) -> None:
    left, right = pair
    left.write("/etc/dnsmasq.hosts", "192.0.2.7 seven.test\n")
    command = [program("dnsmasq"), *DNSMASQ.split(), "--addn-hosts=/etc/dnsmasq.hosts"]
    with left.daemon(command, "udp/53") as dnsmasq:
        assert right.dns("192.0.2.1", "seven.test").replied
        left.write("/etc/dnsmasq.hosts", "192.0.2.8 eight.test\n")
        dnsmasq.reload()
        dnsmasq.await_output(r"read /etc/dnsmasq\.hosts")
        assert right.dns("192.0.2.1", "eight.test").replied
    assert right.dns("192.0.2.1", "eight.test").refused


def test_a_dnsmasq_that_cannot_start_says_why(node: NodeMaker) -> None:
    command = [program("dnsmasq"), "--keep-in-foreground", "--log-facility=-", "--conf-file=/none"]
    with pytest.raises(BuildError, match=r"exit status [1-9]\d*\)\n(.*\n)*.*/none"):
        node("one").daemon(command, "udp/53")


BIRD = """
router id 192.0.2.{own};
protocol device {{ }}
protocol kernel {{ ipv4 {{ import none; export all; }}; }}
protocol static {{ ipv4; route 10.{own}.0.0/16 blackhole; }}
protocol bgp peer {{
  local 192.0.2.{own} as 6500{own};
  neighbor 192.0.2.{other} as 6500{other};
  connect delay time 0; error wait time 1, 1; connect retry time 1;
  ipv4 {{ import all; export all; }};
}}
"""


def test_two_birds_tell_each_other_their_routes(pair: tuple[Node, Node]) -> None:
    bird = program("bird")
    daemons = []
    for own, node in enumerate(pair, 1):
        node.run("mkdir -p /run/bird")
        node.write("/etc/bird.conf", BIRD.format(own=own, other=3 - own))
        command = [bird, "-f", "-c", "/etc/bird.conf", "-s", "/run/bird/bird.ctl"]
        daemons.append(node.daemon(command, Path("/run/bird/bird.ctl")))
    left, right = pair
    assert eventually(lambda: "10.2.0.0/16" in {route.dst for route in left.routes})
    assert eventually(lambda: "10.1.0.0/16" in {route.dst for route in right.routes})
    daemons[0].stop()
    assert eventually(lambda: "10.1.0.0/16" not in {route.dst for route in right.routes})
    daemons[1].stop()


def test_sshd_lets_in_who_has_the_key(pair: tuple[Node, Node]) -> None:
    left, right = pair
    sshd, ssh, keygen = program("sshd"), program("ssh"), program("ssh-keygen")
    left.run(f"mkdir -p /run/sshd /run/keys && {keygen} -q -t ed25519 -N '' -f /run/keys/host")
    right.run(f"mkdir -p /run/keys && {keygen} -q -t ed25519 -N '' -f /run/keys/mine")
    left.write("/run/keys/authorized", right.read("/run/keys/mine.pub"))
    options = (
        "HostKey=/run/keys/host",
        "AuthorizedKeysFile=/run/keys/authorized",
        "StrictModes=no",
        "UsePAM=no",
    )
    options += ("PidFile=none", "PermitRootLogin=prohibit-password")
    command = [sshd, "-D", "-e", "-f", "/dev/null", *(f"-o{option}" for option in options)]
    with left.daemon(command, re.compile("listening on 0.0.0.0 port 22")):
        asked = [ssh, "-F", "none", "-i", "/run/keys/mine", "-oBatchMode=yes", "-oStrictHostKeyChecking=no"]
        asked += ["-oUserKnownHostsFile=/dev/null", "root@192.0.2.1", "hostname"]
        assert right.run(asked, timeout_s=20).stdout == "left\n"
