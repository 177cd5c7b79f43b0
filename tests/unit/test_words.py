"""How texts from outside are written: for a person on one line, for a shell as one word."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_netconform.documents.words import harmless, quoted
from pytest_netconform.facts.links import parse_links
from pytest_netconform.questions import Question, Unknown

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(TEXT)
def test_any_text_is_shown_on_one_line(text: str) -> None:
    assert harmless(text).isprintable()
    assert quoted(text).isprintable()
    assert str(Question("file", text)).isprintable()
    assert Unknown(text).reason.isprintable()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@settings(max_examples=50)
@given(st.lists(TEXT, min_size=1, max_size=20))
def test_a_quoted_text_is_one_word_of_a_shell_and_means_itself(texts: list[str]) -> None:
    command = "printf '%s\\0' " + " ".join(map(quoted, texts))
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == texts


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("eth0", "eth0"),
        ("$(reboot)", "'$(reboot)'"),
        ("it's", """'it'"'"'s'"""),
        ("", "''"),
        ("a\nb", r"$'a\x0ab'"),
        ("\x1b[2J'\\", r"$'\x1b[2J\'\\'"),
        ("\udcff", r"$'\xff'"),
    ],
)
def test_a_word_is_quoted_only_as_far_as_it_must_be(text: str, word: str) -> None:
    assert quoted(text) == word


def test_control_characters_in_what_ip_prints_do_not_hide_the_rest() -> None:
    (link,) = parse_links('[{"ifindex":1,"ifname":"a\x1b[2J","flags":[],"mtu":1500,"ifalias":"b\tc"}]')
    assert (link.ifname, link.ifalias) == ("a\x1b[2J", "b\tc")
