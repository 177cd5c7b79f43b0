"""What a probe's outcome says, and refuses to say."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_netconform.probes.outcome import Outcome
from pytest_netconform.probes.ping import Ping

REPLIED = Ping(src="a", dst="192.0.2.2", replied=True, by="192.0.2.2", rtt_ms=0.08, size=84)
LOST = Ping(src="a", dst="192.0.2.2", lost=True, waited_ms=300.4, size=84)
REFUSED = Ping(src="a", dst="192.0.2.2", refused=True, by="192.0.2.1", rtt_ms=1, size=84)
UNREACHABLE = Ping(
    src="a", dst="192.0.2.2", unreachable="fragmentation-needed", by="192.0.2.1", mtu=1400, rtt_ms=1, size=84
)
REJECTED = Ping(src="a", dst="192.0.2.2", rejected="EMSGSIZE", mtu=1400, size=1401)
ALL = {"replied": REPLIED, "lost": LOST, "refused": REFUSED, "unreachable": UNREACHABLE, "rejected": REJECTED}


@pytest.mark.parametrize("word", ALL)
def test_exactly_one_word_is_true_of_an_outcome(word: str) -> None:
    outcome = ALL[word]
    assert [other for other in ALL if getattr(outcome, other)] == [word]
    assert outcome.verdict == word


@pytest.mark.parametrize("outcome", ALL.values(), ids=str)
def test_an_outcome_has_no_truth_value(outcome: Outcome) -> None:
    with pytest.raises(
        TypeError, match=r"write \.replied, \.lost, \.refused, \.unreachable, \.rejected or \.failed"
    ):
        assert not outcome


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (REPLIED, "Ping(a -> 192.0.2.2: replied in 0.08 ms)"),
        (LOST, "Ping(a -> 192.0.2.2: lost, waited 300 ms)"),
        (REFUSED, "Ping(a -> 192.0.2.2: refused by 192.0.2.1)"),
        (UNREACHABLE, "Ping(a -> 192.0.2.2: unreachable, fragmentation-needed by 192.0.2.1, mtu 1400)"),
        (REJECTED, "Ping(a -> 192.0.2.2: rejected, EMSGSIZE, mtu 1400)"),
    ],
)
def test_an_outcome_shows_itself_in_one_line(outcome: Outcome, line: str) -> None:
    assert repr(outcome) == line


@pytest.mark.parametrize(("by", "shown"), [("192.0.2.2", ""), ("192.0.2.9", " by 192.0.2.9")])
def test_a_reply_from_elsewhere_is_shown(by: str, shown: str) -> None:
    outcome = Ping(src="a", dst="192.0.2.2%eth0", replied=True, by=by, rtt_ms=1.0, size=84)
    assert repr(outcome) == f"Ping(a -> 192.0.2.2%eth0: replied in 1.00 ms{shown})"


def test_outcomes_are_values() -> None:
    changes: dict[str, Any] = {"src": "a", "dst": "b", "lost": True, "waited_ms": 1.0, "size": 84}
    assert Ping(**changes) == Ping(**changes)
    assert Ping(**changes) != Ping(**{**changes, "dst": "c"})
    with pytest.raises(AttributeError):
        LOST.lost = False  # type: ignore[misc]
