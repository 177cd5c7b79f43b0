"""A recording of a node of a real cluster, in format 1, for tests to damage."""

from __future__ import annotations

import io
import tarfile
from hashlib import sha256
from pathlib import Path

from pytest_netconform.questions import Answer, Question, Unknown
from pytest_netconform.targets.replay import RecordedTarget, open_recordings

CLUSTER = Path(__file__).parents[1] / "data" / "flannel-cluster" / "vxlan"
POD = "4026532882"
QUESTIONS = (
    *(Question(table) for table in ("link", "addr", "route", "rule", "neigh", "fdb", "netconf", "chain")),
    *(Question("sysctl", name) for name in ("net.ipv4.ip_forward", "net.ipv4.nothing", "net.bridge.*")),
    *(Question("file", path) for path in ("/run/flannel/subnet.env", "/etc/cni/net.d/*", "/etc/nothing")),
    Question("persisted", "net.ipv4.ip_forward"),
    Question("netns"),
)
FILES = """\
/run/flannel/subnet.env	kept	file	644	96\t
/run/flannel/subnet.env	matched
/etc/cni/net.d/10-flannel.conf	kept	file	644	271\t
/etc/cni/net.d/large	seen	file	644	1048577\t
/etc/cni/net.d/*	matched
/etc/nothing	absent
/etc/sysctl.conf	absent
/etc/closed/*	error	/etc/closed cannot be listed
/etc/broken/a	error	cannot be read
/etc/broken/*	matched
"""
FILES += "".join(
    f"/{place}/sysctl.d/{names}\tabsent\n"
    for place in ("etc", "run", "usr/local/lib", "usr/lib", "lib")
    for names in ("*.conf", ".*.conf")
)
Files = dict[str, bytes]


def recorded_node() -> Files:
    """Give a recording in format 1 of a node of a real cluster."""
    base = CLUSTER / "node1"
    found = {
        str(path.relative_to(base)): path.read_bytes() for path in sorted(base.rglob("*")) if path.is_file()
    }
    found["recording"] = b"format\tnetconform-recording-1\nnode\tnode1\ntime\t1795172799\nsums\tSHA256SUMS\n"
    found["files.tsv"] = FILES.encode()
    for place in {name.partition("/")[0] for name in found if name.endswith("/commands.tsv")}:
        for names in ("ip_tables_names", "ip6_tables_names"):
            found[f"{place}/{names}"] = b""
            found[f"{place}/commands.tsv"] += f"{names}\t0\t-\tcat /proc/net/{names}\n".encode()
    return sealed(found)


def sealed(files: Files) -> Files:
    lines = (
        f"{sha256(content).hexdigest()}  ./{name}\n"
        for name, content in files.items()
        if name != "SHA256SUMS"
    )
    return {**files, "SHA256SUMS": "".join(lines).encode(errors="surrogateescape")}


WHOLE = recorded_node()


def write(directory: Path, files: Files) -> Path:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return directory


def packed(files: Files, top: str = "node1/") -> bytes:
    """Pack files as tar does."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(top + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def target(path: Path) -> RecordedTarget:
    (found,) = open_recordings([path])
    return found


def answers(node: RecordedTarget) -> dict[tuple[str, Question], Answer]:
    """Ask everything, of the node and inside its namespaces."""
    found = {("", question): node.observe(question) for question in QUESTIONS}
    places = node.places()
    for row, place in () if isinstance(places, Unknown) else places:
        for question in (Question("link"), Question("route"), Question("chain")):
            found[row.caption(), question] = place.observe(question)
    return found


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path
