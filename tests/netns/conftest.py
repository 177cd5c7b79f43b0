"""What the tests on the real kernel share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.kernel import userns
from pytest_netconform.nodes import Net

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in this folder: all of them make namespaces."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.namespaces)


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool]], bool]:
    """Ask again until it holds or the time is over; for what the kernel gives no event of."""
    return _eventually


def _eventually(condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture(scope="session")
def warm() -> None:
    """Have what stays open from the first node on: the keeper, and in a user namespace a model."""
    if not userns.why_not():
        with Net() as net:
            net.node("warm").run("true")


@pytest.fixture
def descriptors(warm: None) -> Callable[[], int]:  # noqa: ARG001
    """Count our own open descriptors."""
    return lambda: len(os.listdir("/proc/self/fd"))  # noqa: PTH208
