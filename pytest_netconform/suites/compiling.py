"""Questions, places, conditions and bindings, compiled with every mistake reported at its place."""

from __future__ import annotations

from typing import Any

from pytest_netconform.checks.registry import kinds
from pytest_netconform.documents import described, shown
from pytest_netconform.documents.words import closest
from pytest_netconform.facts.netns import Netns
from pytest_netconform.matching.at import At
from pytest_netconform.matching.compiling import compile_quantified
from pytest_netconform.matching.context import Context
from pytest_netconform.matching.parsing import NAME, Names
from pytest_netconform.matching.shapes import ANYTHING, Shape, shape_of_value
from pytest_netconform.suites.circles import circles, depths
from pytest_netconform.suites.model import Condition, Group, Place, Query

GROUPS = ("any", "all")
PLACES = ("node", "netns")
MOST_BINDINGS = 10
DEEPEST_VARIABLE = 20
Variables = dict[str, Any]
Bindings = tuple[tuple[str, Query], ...]


def compile_place(spec: Any, at: At, names: Names) -> Place | None:
    """Compile `in: node` or `in: {netns: {...}}`."""
    if spec == "node":
        return Place("node")
    if isinstance(spec, dict) and list(spec) == ["netns"]:
        wanted = {"name": "*"} if spec["netns"] == "*" else spec["netns"]
        context = Context(names, selecting=True).table(Netns, "namespaces")
        which = compile_quantified(wanted, at.child("netns"), context)
        return None if which is None else Place("netns", which)
    if isinstance(spec, dict) and len(spec) == 1:
        at.child(next(iter(spec))).unknown("place", next(iter(spec)), PLACES)
    else:
        hint = closest(spec, PLACES) if isinstance(spec, str) else ""
        at.problem(f"a place is node or {{netns: {{...}}}}, got {shown(spec)}{hint}")
    return None


def compile_query(spec: Any, at: At, context: Context) -> Query | None:
    """Compile a question, `{kind: spec}` with an optional `in`."""
    if not isinstance(spec, dict):
        at.problem(f"expected a question such as {{link: {{...}}}}, got {shown(spec)}")
        return None
    place = compile_place(spec["in"], at.child("in"), context.names) if "in" in spec else None
    kind = one_kind([word for word in spec if word != "in"], at)
    known = kinds()
    bodies = {
        word: known[word].compile(inner, at.child(word), context)  # also beside what is wrong
        for word, inner in spec.items()
        if word in known
    }
    body = bodies[kind] if kind is not None else None
    return None if body is None or ("in" in spec and place is None) else Query(body, place)


def one_kind(words: list[str], at: At) -> str | None:
    """Give the one word that is a kind; reports what is wrong if there is not exactly one."""
    known = kinds()
    wrong = [word for word in words if word not in known]
    for word in wrong:
        at.child(word).unknown("kind", word, known)
    if not words:
        at.problem("a question needs a kind, such as link or sysctl")
    elif len(words) > 1 and not wrong:
        at.problem(f"a question has one kind, but here are {', '.join(words)}; use all: [...] or any: [...]")
    return words[0] if len(words) == 1 and not wrong else None


def compile_condition(spec: Any, at: At, context: Context) -> Condition | None:
    """Compile a question, or `any:` and `all:` of questions."""
    group = next((word for word in GROUPS if isinstance(spec, dict) and word in spec), None)
    if group is None:
        return compile_query(spec, at, context)
    for other in spec:
        if other != group:
            at.child(other).problem(f"{shown(other)} cannot stand beside {group!r}", key=True)
    return compile_group(group, spec[group], at.child(group), context)


def compile_group(word: str, spec: Any, at: At, context: Context) -> Group | None:
    """Compile what stands under `any:` or `all:`."""
    if not isinstance(spec, list) or not spec:
        got = "an empty list" if spec == [] else described(spec)
        at.problem(f"{word!r} needs a list of questions, got {got}")
        return None
    members = [compile_condition(member, at.child(number), context) for number, member in enumerate(spec)]
    found = tuple(member for member in members if member is not None)
    return Group(word, found) if len(found) == len(members) else None


def compile_bindings(spec: Any, at: At, names: Names) -> tuple[Bindings | None, Names]:
    """Compile `for`: nested in order, each entry sees those before it.

    Shape: the bindings, None where one was wrong; and the names known after them.
    """
    if not isinstance(spec, dict) or not spec:
        got = "an empty one" if spec == {} else described(spec)
        at.problem(f"'for' needs a mapping such as {{route: {{...}}}}, got {got}")
        return None, names
    if len(spec) > MOST_BINDINGS:
        at.problem(f"'for' nests {len(spec)} questions; at most {MOST_BINDINGS} are allowed", key=True)
        return None, names
    bound: list[tuple[str, Query]] = []
    for name, inner in spec.items():
        place = at.child(name)
        if _name_is_free(name, place, names) and (query := _binding(name, inner, place, names)) is not None:
            bound.append((name, query))
        names = {**names, name: _bound_shape(name, inner)}
    return tuple(bound) if len(bound) == len(spec) else None, names


def _name_is_free(name: str, at: At, names: Names) -> bool:
    if not NAME.fullmatch(name):
        at.problem(f"a name is letters, digits, '_' and '-', got {shown(name)}", key=True)
    elif name in names:
        at.problem(f"there is a variable {name!r} already", key=True)
    else:
        return True
    return False


def _binding(name: str, spec: Any, at: At, names: Names) -> Query | None:
    context = Context(names, selecting=True)
    if name not in kinds():
        return compile_query(spec, at, context)
    body = kinds()[name].compile(spec, at, context)
    return None if body is None else Query(body)


def _bound_shape(name: str, spec: Any) -> Shape:
    """Give the shape of the row that a binding binds; anything where that cannot be told."""
    words = [name, *(spec if isinstance(spec, dict) else [])]
    kind = next((kinds()[word] for word in words if word in kinds()), None)
    return Shape(kind.row) if kind is not None else ANYTHING


def compile_variables(spec: Any, at: At) -> tuple[Variables, Names]:
    """Compile `vars`: each a question that gives exactly one row, or a plain value.

    Shape: the compiled variables, and the names that they make known.
    """
    if not isinstance(spec, dict):
        return {}, {}
    names = {
        name: _bound_shape("", inner) if isinstance(inner, dict) else shape_of_value(inner)
        for name, inner in spec.items()
    }
    context = Context(names, selecting=True)
    variables: Variables = {}
    for name, inner in spec.items():
        place = at.child(name)
        if not _name_is_free(name, place, {}):
            continue
        if isinstance(inner, dict):
            if (query := compile_query(inner, place, context)) is not None:
                variables[name] = query
        elif _is_plain(inner, place):
            variables[name] = inner
    _refuse_circles(variables, at)
    return variables, names


def _is_plain(value: Any, at: At) -> bool:
    """Say whether a value can stand for itself; reports it if not."""
    values = value if isinstance(value, list) and value else [value]
    if all(isinstance(each, (str, int, float, bool)) for each in values):
        return True
    at.problem(f"a variable is a question, a plain value or a list of plain values, got {shown(value)}")
    return False


def _refuse_circles(variables: Variables, at: At) -> None:
    """Report variables that need themselves, or too many others one after the other."""
    needs = {
        name: list({reference.name: None for reference in query.references if reference.name in variables})
        if isinstance(query, Query)
        else []
        for name, query in variables.items()
    }
    for circle in circles(needs):
        at.child(circle[0]).problem(f"the variable needs itself: {' -> '.join(circle)}", key=True)
    for name, depth in depths(needs).items():
        if depth == DEEPEST_VARIABLE:
            at.child(name).problem(f"the variable needs {depth} others one after the other", key=True)
