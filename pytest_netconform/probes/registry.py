"""The probes by name, for who lets others choose one."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from pytest_netconform.documents.words import suggest
from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.probing.driving import Attempt
from pytest_netconform.probes.outcome import Outcome

NAMES = ("ping", "tcp", "udp", "dns", "http", "path_mtu")


def probe(name: str) -> Callable[..., Attempt[Outcome]]:
    """Find a probe; called with namespaces, an address and its options, it gives an attempt for `drive`.

    Raises: ProbeError.
    """
    if name not in NAMES:
        raise ProbeError(f"there is no probe {name!r}{suggest(name, NAMES)}")
    found: Callable[..., Attempt[Any]] = getattr(import_module(f"pytest_netconform.probes.{name}"), name)
    return found
