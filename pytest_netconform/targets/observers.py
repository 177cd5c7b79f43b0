"""Who answers which question: from evidence, live or recorded, to facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pytest_netconform.errors import Gone, Unreadable, Untold
from pytest_netconform.facts.addrs import parse_addrs
from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.chains import parse_iptables_save
from pytest_netconform.facts.fdb import parse_fdb
from pytest_netconform.facts.links import Link, parse_links
from pytest_netconform.facts.neighs import parse_neighs
from pytest_netconform.facts.netconf import NETCONF_KEYS, parse_netconf
from pytest_netconform.facts.persisted import persisted
from pytest_netconform.facts.routes import parse_routes
from pytest_netconform.facts.rules import parse_rules
from pytest_netconform.facts.sysctls import Sysctl, path_of
from pytest_netconform.kernel.observing.evidence import Evidence
from pytest_netconform.kernel.observing.tables import SYSCTL_FILES
from pytest_netconform.questions import Answer, Question, Target, Unknown

Rows = tuple[Fact, ...]
R = TypeVar("R", bound=Fact)


def parsed(evidence: Evidence, file: str, parse: Callable[..., tuple[R, ...]], *more: Any) -> tuple[R, ...]:
    """Parse what the command behind *file* printed; says where it stands in what goes wrong."""
    text = evidence.text(file)
    if text is None:
        return ()
    try:
        return parse(text, *more)
    except Unreadable as error:
        raise Unreadable(f"{evidence.source(file)}:{error}") from None


def links(evidence: Evidence, of: None) -> Rows:  # noqa: ARG001
    return parsed(evidence, "ip-addr.json", parse_links)


def veths(evidence: Evidence) -> tuple[Link, ...]:
    """Give the ends of veth pairs, which lead to other namespaces."""
    return tuple(link for link in parsed(evidence, "ip-addr.json", parse_links) if link.kind == "veth")


def addrs(evidence: Evidence, of: None) -> Rows:  # noqa: ARG001
    return parsed(evidence, "ip-addr.json", parse_addrs)


def routes(evidence: Evidence, of: None) -> Rows:  # noqa: ARG001
    return (
        *parsed(evidence, "ip-route4.json", parse_routes, "inet"),
        *parsed(evidence, "ip-route6.json", parse_routes, "inet6"),
    )


def rules(evidence: Evidence, of: None) -> Rows:  # noqa: ARG001
    return (
        *parsed(evidence, "ip-rule4.json", parse_rules, "inet"),
        *parsed(evidence, "ip-rule6.json", parse_rules, "inet6"),
    )


def neighs(evidence: Evidence, of: None) -> Rows:  # noqa: ARG001
    return parsed(evidence, "ip-neigh.json", parse_neighs)


def fdb(evidence: Evidence, of: None) -> Rows:  # noqa: ARG001
    return parsed(evidence, "bridge-fdb.json", parse_fdb)


def netconf(evidence: Evidence, of: None) -> Rows:  # noqa: ARG001
    found = (evidence.sysctls(f"{directory}*/*", keys) for directory, keys in NETCONF_KEYS.items())
    return parse_netconf({path: value for values in found for path, value in values.items()})


def chains(evidence: Evidence, of: None) -> Rows:  # noqa: ARG001
    return tuple(
        chain
        for family, prefix in (("ip", "iptables"), ("ip6", "ip6tables"))
        for backend in ("nft", "legacy")
        for chain in parsed(evidence, f"{prefix}-{backend}-save.txt", parse_iptables_save, family, backend)
    )


def sysctls(evidence: Evidence, of: str) -> Rows:
    try:
        pattern = path_of(of)
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return tuple(Sysctl.at(path, value) for path, value in evidence.sysctls(pattern).items())


def files(evidence: Evidence, of: str) -> Rows:
    return evidence.files(of)


def persisted_sysctl(evidence: Evidence, of: str) -> Rows:
    found = [file for pattern in SYSCTL_FILES for file in evidence.files(pattern)]
    try:
        return persisted(of, found)
    except ValueError as error:
        raise Unreadable(str(error)) from None


OBSERVERS: Mapping[str, Callable[[Evidence, Any], Rows]] = {
    "link": links, "addr": addrs, "route": routes, "rule": rules, "neigh": neighs, "fdb": fdb,
    "netconf": netconf, "chain": chains, "sysctl": sysctls, "file": files, "persisted": persisted_sysctl,
}  # fmt: skip


FROM_INSIDE = Unknown("network namespaces are listed from their node, not from inside one of them")


def answer(evidence: Evidence, question: Question) -> Answer:
    """Answer a question from evidence; what could not be read becomes Unknown, with the reason."""
    observer = OBSERVERS.get(question.table)
    if observer is None:
        return Unknown(f"this target cannot answer questions of {question.table!r}")
    try:
        return observer(evidence, question.of)
    except Unreadable as error:
        return Unknown(str(error), untold=isinstance(error, Untold), gone=isinstance(error, Gone))


def netns_rows(target: Target) -> Answer:
    """Answer what network namespaces there are beside a target's own."""
    found = target.places()
    return found if isinstance(found, Unknown) else tuple(row for row, _ in found)
