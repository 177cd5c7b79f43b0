"""The pytest plugin: options, and fixtures that cost nothing until they are used. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import sys
from typing import Any

import pytest

pytest_plugins = ("pytest_netconform.fixtures", "pytest_netconform.report.hooks")

USERNS = "netconform_userns"
MARK = "netconform(suite, severity): a check or a lab; select with -m \"netconform(severity='blocker')\""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("netconform", "container networks")
    group.addoption(
        "--netconform", action="store_true",
        help="check this node: collect suites and labs, by default the built-in suites that apply here",
    )  # fmt: skip
    group.addoption(
        "--netconform-replay", action="append", default=[], metavar="PATH",
        help="judge a recording made by `netconform collect` instead of this node, and others that are"
        " arguments; needs no root",
    )  # fmt: skip
    group.addoption(
        "--netconform-withhold", choices=("fault", "fix"),
        help="run labs without their fault, or their fix, to see that they then fail",
    )  # fmt: skip
    wish = "enter a user namespace first, so that fixtures and labs work without root"
    group.addoption("--netconform-userns", action="store_true", help=wish)
    parser.addini(USERNS, wish, type="bool", default=False)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Enter before a conftest starts a thread, and before xdist's workers start, which inherit it."""
    if userns := _userns(early_config):
        userns.enter_if_possible()


def _userns(config: pytest.Config) -> Any:
    """Give the module where one is wished for."""
    early = getattr(config.known_args_namespace, USERNS, False)
    if not (early or config.getoption(USERNS, False) or config.getini(USERNS)):
        return None
    from pytest_netconform.kernel.making import userns

    return userns


def pytest_unconfigure() -> None:
    if processes := sys.modules.get("pytest_netconform.kernel.processes.inits"):
        processes.end_keeper(though_needed=False)  # a session inside a session may not end the outer one's


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)
    if userns := _userns(config):
        userns.Userns.refusal = getattr(config, "workerinput", {}).get(USERNS, userns.Userns.refusal)
        userns.enter_if_possible()  # for who loads us late, from a conftest
    if config.getoption("netconform") or config.getoption("netconform_replay"):
        from pytest_netconform.collect.session import activate

        activate(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    if userns := _userns(node.config):
        node.workerinput[USERNS] = userns.Userns.refusal


def pytest_report_header(config: pytest.Config) -> str | None:
    return f"netconform: {userns.told()}" if (userns := _userns(config)) else None
