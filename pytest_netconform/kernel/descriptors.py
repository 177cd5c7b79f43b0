"""Descriptors that have an owner: they are closed with it, also when it is only dropped.

What Python code does at an object's end (`__del__`, weakref callbacks) swallows an interrupt that comes just
then. So the owner is an object of C that closes any descriptor at its end, without a word: as no other of the
standard library's, that of an epoll does.
"""

from __future__ import annotations

import os
from select import epoll as Owner  # noqa: N812
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

__all__ = ["Owner", "duplicated", "in_memory", "opened"]


def opened(path: str | os.PathLike[str]) -> Owner:
    """Open a file; no interrupt can come between that and its having an owner.

    Raises: OSError.
    """
    (owner,) = map(Owner.fromfd, map(os.open, [path], [os.O_RDONLY | os.O_CLOEXEC]))
    return owner


def in_memory(name: str) -> Owner:
    """Make a file in memory."""
    (owner,) = map(Owner.fromfd, map(os.memfd_create, [name]))
    return owner


def duplicated(sock: socket.socket) -> Owner:
    """Hold what a socket is by a descriptor of its own."""
    (owner,) = map(Owner.fromfd, map(os.dup, [sock.fileno()]))
    return owner
