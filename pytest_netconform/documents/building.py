"""From PyYAML's events to plain data and places, without recursion and within limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from yaml import events
from yaml.events import ScalarEvent

from pytest_netconform.documents.document import Mark, Place, ReadError
from pytest_netconform.documents.scalars import SCALAR_TAGS, resolve, resolve_tagged
from pytest_netconform.documents.words import described, shown

DEEPEST = 50
MOST_NODES = 100_000
CHARACTERS_PER_NODE = 100
ALL_TAGS = {"map", "seq", *SCALAR_TAGS}
HALF = re.compile("[\ud800-\udfff]")
CORE = "tag:yaml.org,2002:"
WANTED: Final = object()
DROPPED: Final = object()
Node = tuple[Any, Place | Mark]


class Frame:
    """A mapping or list that is still open.

    Shape: `key` is that of the next value; WANTED before a key; DROPPED if the next value goes nowhere;
           None in a list.
    """

    __slots__ = ("anchor", "before", "key", "place", "value")

    def __init__(self, value: Any, place: Place, key: Any, anchor: str | None, before: int) -> None:
        self.value, self.place, self.key, self.anchor, self.before = value, place, key, anchor, before


class Builder:
    """Builds the first document of a text; reports what is wrong in it and goes on.

    Shape: `anchors` holds node and size of each, None while it is open; `nodes` counts aliases as
           what they stand for.
    """

    def __init__(self, report: Callable[[Mark, str], None]) -> None:
        self.report = report
        self.anchors: dict[str, tuple[Node, int] | None] = {}
        self.nodes = 0
        self.stack: list[Frame] = []

    def build(self, stream: Iterable[Any]) -> Node | None:
        """Build the document; None for a text without any."""
        root: Frame | None = None
        for event in stream:
            kind = type(event)
            if kind is ScalarEvent:
                self.scalar(event)
            elif kind is events.MappingEndEvent or kind is events.SequenceEndEvent:
                self.end()
            elif kind is events.MappingStartEvent or kind is events.SequenceStartEvent:
                self.start(event)
            elif kind is events.AliasEvent:
                self.alias(event)
            elif kind is events.DocumentStartEvent:
                if root:
                    self.report(event.start_mark, "a second document begins here; a file holds one")
                    break
                root = Frame([], Place(event.start_mark), None, None, 0)
                self.stack.append(root)
        return (root.value[0], root.place.children[0]) if root else None

    def scalar(self, event: Any) -> None:
        """Take a scalar, as a key where one is wanted."""
        text = event.value
        if not text.isascii() and HALF.search(text):
            raise ReadError(event.start_mark, "a \\u code of half a character: write the character itself")
        before = self.nodes
        self.count(event.start_mark, 1 + len(text) // CHARACTERS_PER_NODE)
        wanted = self.stack[-1].key is WANTED
        if wanted and text == "<<" and not event.style:
            self.report(event.start_mark, "merge key '<<' is not YAML 1.2: write the keys out")
            self.stack[-1].key = DROPPED
            return
        value = event.value if event.style and not event.tag else self.resolved(event)
        if wanted and text and not isinstance(value, str):
            self.report(event.start_mark, f"key {shown(text)} is {described(value)}: write it in quotes")
            value = text
        self.add((value, event.start_mark))
        if event.anchor:
            self.anchors[event.anchor] = (value, event.start_mark), self.nodes - before

    def resolved(self, event: Any) -> Any:
        """Turn a plain or tagged scalar into its value; what does not fit stays text."""
        try:
            if event.tag is None:
                return resolve(event.value)
            if name := self.core_tag(event, SCALAR_TAGS):
                return resolve_tagged(event.value, name)
        except ValueError as error:
            self.report(event.start_mark, str(error))
        return event.value

    def core_tag(self, event: Any, fitting: Iterable[str]) -> str | None:
        """Give the name of a core tag that fits (`str` of `!!str`); report any other."""
        tag: str = event.tag
        name = tag.removeprefix(CORE)
        if tag.startswith(CORE) and name in fitting:
            return name
        if tag.startswith(CORE) and name in ALL_TAGS:
            self.report(event.start_mark, f"tag '!!{name}' does not fit this value")
        else:
            written = shown("!!" + name if tag.startswith(CORE) else tag)
            hint = " (text that begins with '!' must stand in quotes)"
            self.report(event.start_mark, f"tag {written} is not allowed{hint}")
        return None

    def start(self, event: Any) -> None:
        """Open a mapping or list."""
        if len(self.stack) > DEEPEST:
            raise ReadError(event.start_mark, f"nested more than {DEEPEST} levels deep")
        mapping = type(event) is events.MappingStartEvent
        if event.tag:
            self.core_tag(event, ("map",) if mapping else ("seq",))
        if event.anchor:
            self.anchors[event.anchor] = None
        value: Any = {} if mapping else []
        self.stack.append(
            Frame(value, Place(event.start_mark), WANTED if mapping else None, event.anchor, self.nodes)
        )
        self.count(event.start_mark, 1)

    def end(self) -> None:
        """Close the innermost mapping or list and put it where it belongs."""
        frame = self.stack.pop()
        node = frame.value, frame.place
        if frame.anchor:
            self.anchors[frame.anchor] = node, self.nodes - frame.before
        self.add(node)

    def alias(self, event: Any) -> None:
        """Take what an alias stands for, or nothing where that cannot be."""
        mark, name = event.start_mark, event.anchor
        found = self.anchors.get(name)
        if found:
            (value, place), nodes = found
            self.count(mark, nodes)
            self.add((value, place.named_from(mark) if isinstance(place, Place) else mark))
            return
        if name in self.anchors:
            self.report(mark, f"alias {shown('*' + name)} stands inside what it names")
        else:
            hint = " (text that begins with '*' must stand in quotes)"
            self.report(mark, f"unknown alias {shown('*' + name)}{hint}")
        self.add((f"*{name}", mark))

    def count(self, mark: Mark, nodes: int) -> None:
        """Count nodes as if each alias were written out, so that no alias can make much of little."""
        self.nodes += nodes
        if self.nodes > MOST_NODES:
            raise ReadError(mark, f"more than {MOST_NODES} values, aliases written out")

    def add(self, node: Node) -> None:
        """Put a node into the innermost open mapping or list."""
        frame = self.stack[-1]
        value, place = node
        if frame.key is None:
            frame.place.children[len(frame.value)] = place
            frame.value.append(value)
        elif frame.key is WANTED:
            self.key(frame, value, place.mark if isinstance(place, Place) else place)
        else:
            if frame.key is not DROPPED:
                frame.value[frame.key] = value
                frame.place.children[frame.key] = place
            frame.key = WANTED

    def key(self, frame: Frame, key: Any, mark: Mark) -> None:
        """Take the key of the next value; the value of a key that cannot be goes nowhere."""
        frame.key = DROPPED
        if not isinstance(key, str):
            self.report(
                mark, "a key is missing here" if key is None else f"a key must be text, not {described(key)}"
            )
        elif key in frame.place.keys:
            self.report(mark, f"duplicate key {shown(key)} (first in line {frame.place.keys[key].line + 1})")
        else:
            frame.key = key
            frame.place.keys[key] = mark
