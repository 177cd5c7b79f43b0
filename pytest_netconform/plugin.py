"""The pytest plugin: options, and fixtures that cost nothing until they are used. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import pytest

from pytest_netconform.fixtures import _netconform_net, bridge, lan, netns, node, veth

__all__ = ["_netconform_net", "bridge", "lan", "netns", "node", "veth"]

MARK = "netconform(suite, severity): a check or a lab; select with -m \"netconform(severity='blocker')\""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("netconform", "container networks")
    group.addoption(
        "--netconform", action="store_true",
        help="check this node: collect suites and labs, by default the built-in suites that apply here",
    )  # fmt: skip
    group.addoption(
        "--netconform-replay", action="extend", nargs="+", default=[], metavar="PATH",
        help="judge recordings made by `netconform collect` instead of this node; needs no root",
    )  # fmt: skip
    group.addoption(
        "--netconform-withhold", choices=("fault", "fix"),
        help="run labs without their fault, or their fix, to see that they then fail",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)
    if config.getoption("netconform") or config.getoption("netconform_replay"):
        from pytest_netconform.collect.session import activate

        activate(config)
