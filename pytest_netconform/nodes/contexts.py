"""Contexts that a test must enter: one that was made and forgotten is told at the end of its net."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from pytest_netconform.errors import BuildError
from pytest_netconform.nodes.namespaces import Netns

P = ParamSpec("P")


class OfNetns(Protocol):
    """A device of a namespace."""

    netns: Netns
    ifname: str


D = TypeVar("D", bound=OfNetns)


class Context(AbstractContextManager[None]):
    """What is done for the time of a context, once.

    Raises: BuildError, from the end of the net, if nobody entered it: then it did nothing.
    """

    def __init__(self, netns: Netns, words: str, inner: AbstractContextManager[None]) -> None:
        self._forgotten, self._words, self._inner = netns.forgotten, words, inner
        self._forgotten[self] = f"{words} was never entered, and did nothing: it is for `with`"
        self._entered = False

    def __repr__(self) -> str:
        return f"<{self._words}: {'entered' if self._entered else 'never entered'}>"

    def __enter__(self) -> None:
        if self._entered:
            raise BuildError(f"{self._words} was entered before: make another one")
        self._entered = True
        self._forgotten.pop(self, None)
        self._inner.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return self._inner.__exit__(kind, value, traceback)


def context(made: Callable[Concatenate[D, P], Iterator[None]]) -> Callable[Concatenate[D, P], Context]:
    """Make a context of a device's generator, as `contextlib.contextmanager` does."""
    manager = contextmanager(made)

    @wraps(made)
    def entered(device: D, /, *args: P.args, **kwargs: P.kwargs) -> Context:
        given = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
        words = f"{device.netns.name}: {device.ifname}.{made.__name__}({', '.join(given)})"
        return Context(device.netns, words, manager(device, *args, **kwargs))

    return entered
