"""What all tests share: who may run them, and how hypothesis searches."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A deadline per example would be a timed test, and this machine may be slow
settings.register_profile("netconform", deadline=None)
settings.load_profile("netconform")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs root, saying so."""
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root, for namespaces on the real kernel")


@pytest.fixture
def recordings() -> Path:
    """Give the directory of the recordings that tests carry."""
    return Path(__file__).parent / "data"
