"""Questions, places, conditions and bindings, compiled from a file with every mistake reported at its place."""

from __future__ import annotations

from typing import Any

from pytest_netconform.checks.registry import kinds
from pytest_netconform.facts.base import Fact
from pytest_netconform.facts.netns import Netns
from pytest_netconform.matching.at import At, described
from pytest_netconform.matching.compiling import Context, compile_quantified
from pytest_netconform.matching.references import Names
from pytest_netconform.suites.model import Condition, Group, Place, Query

GROUPS = ("any", "all")


def compile_place(spec: Any, at: At, names: Names) -> Place | None:
    """Compile `in: node` or `in: {netns: {...}}`."""
    if spec == "node":
        return Place("node")
    if isinstance(spec, dict) and list(spec) == ["netns"]:
        wanted = {"name": "*"} if spec["netns"] == "*" else spec["netns"]
        context = Context(names, Netns, "namespaces")
        which = compile_quantified(wanted, at.child("netns"), context, selecting=True)
        return which and Place("netns", which)
    if isinstance(spec, dict) and len(spec) == 1:
        at.child(next(iter(spec))).unknown("place", next(iter(spec)), ("node", "netns"))
    else:
        at.problem(f"a place is 'node' or {{netns: {{...}}}}, got {described(spec) if not isinstance(spec, str) else spec!r}")
    return None


def compile_query(spec: Any, at: At, names: Names, *, selecting: bool = False) -> Query | None:
    """Compile a question, `{kind: spec}` with an optional `in`."""
    if not isinstance(spec, dict):
        at.problem(f"expected a question such as {{link: {{...}}}}, got {described(spec)}")
        return None
    words = [word for word in spec if word != "in"]
    if not one_kind(words, spec, at):
        return None
    place = compile_place(spec["in"], at.child("in"), names) if "in" in spec else None
    body = kinds()[words[0]].compile(spec[words[0]], at.child(words[0]), names, selecting=selecting)
    if body is None or ("in" in spec and place is None):
        return None
    return Query(body, place)


def one_kind(words: list[str], spec: dict[str, Any], at: At) -> bool:
    """Say whether exactly one kind is named; reports it if not."""
    known = kinds()
    wrong = [word for word in words if word not in known]
    for word in wrong:
        at.child(word).unknown("kind", word, known)
    if not words:
        at.problem("a question needs a kind, such as link or sysctl")
    elif len(words) > 1 and not wrong:
        at.problem(f"a question has one kind, but here are {len(words)}: {', '.join(words)}; use all: [...] or any: [...]")
    return len(words) == 1 and not wrong and spec[words[0]] is not ...


def compile_condition(spec: Any, at: At, names: Names) -> Condition | None:
    """Compile a question, or `any:` and `all:` of questions."""
    if isinstance(spec, dict) and (word := next((word for word in GROUPS if word in spec), None)):
        for other in spec:
            if other != word:
                at.child(other).problem(f"{other!r} cannot stand beside {word!r}", key=True)
        return compile_group(word, spec[word], at.child(word), names)
    return compile_query(spec, at, names)


def compile_group(word: str, spec: Any, at: At, names: Names) -> Group | None:
    """Compile what stands under `any:` or `all:`."""
    if not isinstance(spec, list) or not spec:
        at.problem(f"'{word}' needs a list of questions, got {'an empty list' if spec == [] else described(spec)}")
        return None
    members = [compile_condition(member, at.child(i), names) for i, member in enumerate(spec)]
    if None in members:
        return None
    return Group(word, tuple(member for member in members if member is not None))


def compile_bindings(spec: Any, at: At, names: Names) -> tuple[tuple[tuple[str, Query], ...], Names]:
    """Compile `for`: nested in order, each entry sees those before it.

    Shape: the bindings, and the names known after them.
    """
    if not isinstance(spec, dict) or not spec:
        at.problem(f"'for' needs a mapping such as {{route: {{...}}}}, got {described(spec) if spec != {} else 'an empty one'}")
        return (), names
    bound: list[tuple[str, Query]] = []
    for name, inner in spec.items():
        place = at.child(name)
        is_kind = name in kinds()
        row = bound_row(name, inner)
        if is_kind:
            body = kinds()[name].compile(inner, place, names, selecting=True)
            query = body and Query(body)
        else:
            query = compile_query(inner, place, names, selecting=True)
        names = {**names, name: row}
        if query is not None:
            bound.append((name, query))
    return tuple(bound), names


def bound_row(name: str, spec: Any) -> type[Fact] | None:
    """Give the type of the row that a binding binds; None where that cannot be told."""
    kind = kinds().get(name)
    if kind is None and isinstance(spec, dict):
        kind = next((kinds()[word] for word in spec if word in kinds()), None)
    return kind.row if kind is not None else None


def compile_variables(spec: Any, at: At) -> tuple[dict[str, Any], Names]:
    """Compile `vars`: each a question that gives exactly one row, or a plain value.

    Shape: the compiled variables, and the names that they make known.
    """
    if not isinstance(spec, dict):
        return {}, {}
    names: dict[str, type[Fact] | None] = {
        name: bound_row("", inner) if isinstance(inner, dict) else None for name, inner in spec.items()
    }
    variables: dict[str, Any] = {}
    for name, inner in spec.items():
        if isinstance(inner, dict):
            variables[name] = compile_query(inner, at.child(name), names, selecting=True)
        else:
            variables[name] = inner
    _refuse_circles(variables, at)
    return variables, names


def _refuse_circles(variables: dict[str, Any], at: At) -> None:
    """Report variables that need themselves."""
    needs = {
        name: {reference.name for reference in query.references} if isinstance(query, Query) else set()
        for name, query in variables.items()
    }
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            circle = " -> ".join((*way[way.index(name) :], name))
            at.child(name).problem(f"variables go round in a circle: {circle}", key=True)
        elif name not in done:
            for other in sorted(needs.get(name, ())):
                visit(other, (*way, name))
            done.add(name)

    for name in variables:
        visit(name, ())
