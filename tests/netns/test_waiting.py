"""Waiting for what comes without an event: what it gives, and what it says when it does not come."""

from __future__ import annotations

import pytest

from pytest_netconform.errors import BuildError, ProbeError
from pytest_netconform.nodes import Node, eventually


def test_the_first_true_value_is_given() -> None:
    values = iter(["", 0, "found", "never"])
    assert eventually(lambda: next(values)) == "found"


def test_a_path_that_comes_is_awaited(a: Node, b: Node) -> None:
    tries = 0

    def reached() -> bool:
        nonlocal tries
        tries += 1
        if tries == 3:
            b.listen(80)
        return a.tcp(b, 80).replied

    assert eventually(reached)
    assert tries == 3


def test_what_does_not_come_is_told_with_the_last_probe(a: Node) -> None:
    with pytest.raises(AssertionError, match=r"not true within 0\.1 s, in ") as error:
        eventually(lambda: a.tcp("10.0.0.2", 80).replied, timeout_s=0.1)
    assert str(error.value).endswith(
        "tries: at last False, after Tcp(a -> 10.0.0.2 port 80: refused by 10.0.0.2)"
    )


def test_it_is_asked_once_at_least() -> None:
    with pytest.raises(AssertionError, match=r"not true within 0 s, in 1 tries: at last \[\]$"):
        eventually(list, timeout_s=0)


def test_what_cannot_be_asked_is_not_awaited(a: Node) -> None:
    with pytest.raises(ProbeError, match="not an IP address"):
        eventually(lambda: a.ping("nowhere").replied)


def test_an_outcome_is_no_condition(a: Node) -> None:
    with pytest.raises(TypeError, match=r"write \.replied"):
        eventually(lambda: a.ping("10.0.0.2"))


def test_a_value_is_no_condition() -> None:
    with pytest.raises(BuildError, match="expected a function, not True; write lambda: "):
        eventually(True)  # type: ignore[arg-type]
    with pytest.raises(BuildError, match="expected a timeout_s of 0 or more seconds, not nan"):
        eventually(bool, float("nan"))
