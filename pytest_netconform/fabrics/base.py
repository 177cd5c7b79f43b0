"""What every fabric is: named places, their addresses, and a kind that builds it from typed options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from inspect import Parameter, signature
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pytest_netconform.documents.words import shown, suggest
from pytest_netconform.errors import BuildError
from pytest_netconform.nodes import Netns, Node


@dataclass
class Fabric:
    """Nodes, pods and their wiring as one named system wires them; part of a Net, and gone with it.

    Shape: `places` are `node1`, `node1/pod1`, `router` and `outside`, a host beyond the nodes' router;
           `addresses` are theirs.
    """

    kind: str
    places: dict[str, Netns] = field(default_factory=dict, repr=False)
    addresses: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Netns:
        return self.places[self._known(name)]

    def add(self, name: str, place: Netns, address: str) -> None:
        self.places[name] = place
        self.addresses[name] = address

    @property
    def nodes(self) -> dict[str, Node]:
        return {name: place for name, place in self.places.items() if isinstance(place, Node)}

    @property
    def pods(self) -> dict[str, Netns]:
        return {name: place for name, place in self.places.items() if "/" in name}

    @property
    def router(self) -> Netns:
        return self["router"]

    @property
    def outside(self) -> Netns:
        return self["outside"]

    def address(self, name: str) -> str:
        """Give the address that others reach a place by."""
        return self.addresses[self._known(name)]

    def environment(self) -> dict[str, str]:
        """Give all addresses by names that a shell can use: `$NODE1_IP`, `$NODE1_POD1_IP`, `$OUTSIDE_IP`."""
        return {f"{name.upper().replace('/', '_')}_IP": address for name, address in self.addresses.items()}

    def _known(self, name: str) -> str:
        if name not in self.places:
            raise BuildError(f"fabric {self.kind}: no place {shown(name)}{suggest(name, self.places)}")
        return name


@dataclass(frozen=True)
class Option:
    """One thing that a kind of fabric can be told.

    Shape: `bounds` are those of a number, if it has any; `default` is Parameter.empty where it must be told.
    """

    name: str
    type: type
    bounds: range | None
    default: Any

    @classmethod
    def of(cls, name: str, hint: Any, default: Any) -> Option:
        """Read an option from a parameter's annotation: `int`, or `Annotated[int, range(1, 201)]`."""
        if get_origin(hint) is not Annotated:
            return cls(name, hint, None, default)
        kind, *more = get_args(hint)
        return cls(name, kind, next((each for each in more if isinstance(each, range)), None), default)

    def problem(self, value: object) -> str | None:
        """Say why a value cannot be this option's, if so."""
        if not isinstance(value, self.type) or (self.type is not bool and isinstance(value, bool)):
            expected = {int: "a number", str: "text", bool: "true/false"}.get(self.type, self.type.__name__)
            return f"expected {expected}, got {shown(value)}"
        if self.bounds is not None and value not in self.bounds:
            return f"expected {self.bounds[0]} to {self.bounds[-1]}, got {shown(value)}"
        return None


@dataclass(frozen=True)
class Kind:
    """A kind of fabric: a function that builds it in a Net.

    Shape: the function's docstring begins with the description; its keyword-only parameters are the options,
           typed int, str or bool. Every kind has `nodes` and `pods` (of each node), both within bounds, and
           so the same places.
    """

    name: str
    function: Callable[..., Fabric]

    @property
    def description(self) -> str:
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    @cached_property
    def options(self) -> Mapping[str, Option]:
        hints = get_type_hints(self.function, include_extras=True)
        return {
            name: Option.of(name, hints[name], parameter.default)
            for name, parameter in signature(self.function).parameters.items()
            if parameter.kind is Parameter.KEYWORD_ONLY
        }

    def problems(self, options: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """Give what is wrong with the options, each problem with the option's name."""
        for name, value in options.items():
            if name not in self.options:
                yield name, f"unknown option {shown(name)}{suggest(name, self.options)}"
            elif message := self.options[name].problem(value):
                yield name, f"{name}: {message}"
        for name, option in self.options.items():
            if option.default is Parameter.empty and name not in options:
                yield name, f"{name}: missing"

    def places(self, options: Mapping[str, Any]) -> list[str]:
        """List the places that a fabric with these options will have; they must be without problems."""
        nodes, pods = (options.get(name, self.options[name].default) for name in ("nodes", "pods"))
        names = [f"node{number}" for number in range(1, nodes + 1)]
        return [
            *names,
            *(f"{node}/pod{number}" for node in names for number in range(1, pods + 1)),
            "router",
            "outside",
        ]
