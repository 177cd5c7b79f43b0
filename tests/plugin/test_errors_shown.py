"""What pytest shows of an error that we raise: the line of the test, and the sentence."""

from __future__ import annotations

import pytest

from pytest_netconform.kernel.making import userns

TEST = """
def test_a_device_that_is_not_there(netns, veth):
    a, b = netns("a"), netns("b")
    veth(a, b, subnet="192.0.2.0/30")
    {line}
"""


def shown(pytester: pytest.Pytester, line: str, *options: str) -> str:
    pytester.makepyfile(TEST.format(line=line))
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options).stdout.str()


@pytest.mark.namespaces
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('a.ping(b, source="eth7")', "a: ping 192.0.2.2"),
        ('a.run("exit 3")', "a: `exit 3` exited with 3"),
        ("assert a.ping(b)", "has no truth value"),
        ('veth(a, b, mtu=1, ifnames=("x", "y"))', "a: link add x type veth"),
    ],
)
def test_an_error_is_the_line_and_the_sentence(pytester: pytest.Pytester, line: str, said: str) -> None:
    told = shown(pytester, line)
    assert f">       {line}" in told or f">   {line}" in told
    assert said in told
    assert "pytest_netconform/" not in told
    assert "direct cause" not in told


@pytest.mark.namespaces
def test_who_wants_all_of_it_gets_it(pytester: pytest.Pytester) -> None:
    assert "pytest_netconform/" in shown(pytester, 'a.ping(b, source="eth7")', "--full-trace")


@pytest.mark.namespaces
def test_what_we_did_not_raise_on_purpose_is_shown_whole(pytester: pytest.Pytester) -> None:
    assert "pytest_netconform/" in shown(pytester, "a.call(lambda: 1 / 0)")


def test_a_suite_without_the_option_says_what_lacks(pytester: pytest.Pytester) -> None:
    (pytester.path / "edge.suite.yaml").write_text("suite: edge\n")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "edge.suite.yaml")
    assert (
        "edge.suite.yaml: suites and labs are run with --netconform"
        in result.stdout.str() + result.stderr.str()
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_skipping_for_want_of_rights_is_said(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(userns, "why_not", lambda: "needs root, or netconform_userns")
    pytester.makepyfile("def test_it(netns): pass\ndef test_that(node): pass")
    shown = pytester.runpytest_inprocess("-p", "no:cacheprovider").stdout.str()
    assert "netconform: 2 skipped: needs root, or netconform_userns" in shown
