"""The model of the sysctl files, held to the programs that really read them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_netconform.facts.sysctl_files import PROCPS, SYSTEMD, assignments, family_of, sets, winner
from pytest_netconform.facts.sysctls import parse_sysctl_dump

READERS = {SYSTEMD: ["/lib/systemd/systemd-sysctl"], PROCPS: ["sysctl", "--system"]}
DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
LATER = re.compile("/later1?/")
BEFORE = {"ip_forward": "0", "forwarding": "0", "rp_filter": "2", "accept_ra": "2"}
SCRIPT = """
mount --make-rprivate / &&
for place in /etc /run /usr/local/lib /usr/lib/sysctl.d; do mount -t tmpfs none $place || exit 9; done
cp -rd "$TREE"/. / || exit 9
conf=/proc/sys/net/ipv4/conf
echo 0 > /proc/sys/net/ipv4/ip_forward
for set in all default; do
    echo 2 > $conf/$set/rp_filter
    echo 2 > /proc/sys/net/ipv6/conf/$set/accept_ra
    echo 0 > /proc/sys/net/ipv6/conf/$set/forwarding
done
ip link add v0 type veth peer name v1.5 || exit 9
"$@" >/dev/null 2>&1
ip link add later type veth peer name later1 || exit 9
grep . $conf/*/forwarding $conf/*/rp_filter /proc/sys/net/ipv4/ip_forward \\
    /proc/sys/net/ipv6/conf/*/forwarding /proc/sys/net/ipv6/conf/*/accept_ra
"""

pytestmark = [
    pytest.mark.namespaces,
    pytest.mark.skipif(
        not Path("/lib/systemd/systemd-sysctl").exists() or not Path("/usr/sbin/sysctl").exists(),
        reason="needs systemd-sysctl and procps",
    ),
]


def applied(reader: str, files: Mapping[str, str], links: Mapping[str, str]) -> dict[str, str]:
    """Run a real reader over the files, in namespaces where nothing else stands, and read what came of it."""
    with TemporaryDirectory() as tree:
        for path, text in files.items():
            file = Path(tree + path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
        for path, target in links.items():
            link = Path(tree + path)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        done = subprocess.run(
            ["unshare", "--mount", "--net", "sh", "-c", SCRIPT, "sh", *READERS[reader]],
            env={"TREE": tree, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    return {path: value for path, value in parse_sysctl_dump(done.stdout).items() if "/lo/" not in path}


def agree(files: Mapping[str, str], links: Mapping[str, str]) -> None:
    for reader in READERS:
        order = assignments(reader, files, links)
        for path, seen in applied(reader, files, links).items():
            found = winner(order, LATER.sub("/default/", path))
            own, above, _ = family_of(path)
            if found and "/v" in path and not sets(found, own | above, frozenset(one.path for one in order)):
                continue  # default's takes effect on interfaces that come later, as at boot; those are there
            wanted = (found.value or "").split()[0] if found else BEFORE[path.rpartition("/")[2]]
            assert seen == wanted, f"{reader}: {path}: {found}"


KEYS = (
    "net.ipv4.ip_forward", "net/ipv4/ip_forward", "net.ipv4.conf.all.forwarding",
    "net/ipv4/conf/all/forwarding",
    "net.ipv4.conf.v0.forwarding", "net.ipv4.conf.v1/5.forwarding", "net/ipv4/conf/v1.5/forwarding",
    "net.ipv4.conf.default.forwarding", "net.ipv4.conf.*.forwarding", "net.ipv4.conf.v*.forwarding",
    "net.ipv4.conf.[!a]*.rp_filter", "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.v0.rp_filter",
    "net.ipv4.conf.default.rp_filter", "net.ipv4.conf.*.rp_filter", "net/ipv4/conf/v1.?/rp_filter",
    "net.ipv6.conf.all.forwarding", "net.ipv6.conf.v0.forwarding", "net.ipv6.conf.*.forwarding",
    "net.ipv6.conf.default.accept_ra", "net.ipv6.conf.v0.accept_ra", "net.ipv4.conf.absent.rp_filter",
)  # fmt: skip
LINES = st.one_of(
    st.builds(
        "{}{}{}{}{}".format, st.sampled_from(["", " ", "-", "\t"]), st.sampled_from(KEYS),
        st.sampled_from(["=", " = ", "= "]), st.sampled_from("01"), st.sampled_from(["", " ", "\r", " # x"]),
    ),
    st.builds("-{}".format, st.sampled_from(KEYS)),
    st.sampled_from(["", "# net.ipv4.ip_forward = 1", "; x", "net.ipv4.ip_forward", " ", "junk = = 1"]),
)  # fmt: skip
NAMES = ("10-a.conf", "50-b.conf", "90-c.conf", "99-sysctl.conf", ".hidden.conf", "README")
PATHS = st.one_of(
    st.builds("{}/{}".format, st.sampled_from(DIRECTORIES), st.sampled_from(NAMES)),
    st.just("/etc/sysctl.conf"),
)
FILES = st.dictionaries(PATHS, st.lists(LINES, max_size=5).map("\n".join), max_size=6)
TARGETS = st.sampled_from(["/dev/null", "../sysctl.conf", "/etc/sysctl.d/10-a.conf", "/nowhere"])
LINKS = st.dictionaries(PATHS.filter(lambda path: "sysctl.d/" in path), TARGETS, max_size=2)


@given(files=FILES, links=LINKS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(
    files={
        "/etc/sysctl.d/10-a.conf": "net.ipv4.ip_forward=1",
        "/etc/sysctl.d/50-b.conf": "net.ipv4.conf.all.forwarding=0",
        "/etc/sysctl.d/90-c.conf": "net.ipv4.ip_forward=1",
    },
    links={},
)
@example(
    files={"/etc/sysctl.conf": "net.ipv4.ip_forward=1"},
    links={"/etc/sysctl.d/99-sysctl.conf": "../sysctl.conf"},
)
@example(
    files={"/usr/lib/sysctl.d/10-a.conf": "net.ipv4.ip_forward=1"},
    links={"/etc/sysctl.d/10-a.conf": "/dev/null"},
)
def test_both_readers_do_with_files_what_the_model_says(files: dict[str, str], links: dict[str, str]) -> None:
    agree({path: text for path, text in files.items() if path not in links}, links)
