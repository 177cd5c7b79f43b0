"""Suite files: a broken one tells all that is wrong with it at once, each at its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from dictionary import checks, told, write

from pytest_netconform.suites.library import Library

K = "link: {ifname: lo}"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param(
            """
            suite: x
            title: t
            checks:
              a:
                link: {ifname: lo}
               why: x
            """,
            ["6:4: wrong indentation: this line begins in column 4, but the keys of the mapping that begins "
             "in line 4 stand in column 3"],
            id="wrong indentation",
        ),
        pytest.param(
            """
            suite: x
            titel: t
            cheks: {}
            """,
            [
                "1:1: missing key 'checks'",
                "2:1: unknown key 'titel' (did you mean 'title'?)",
                "3:1: unknown key 'cheks' (did you mean 'checks'?)",
            ],
            id="unknown and missing keys of the suite",
        ),
        pytest.param("title: t\n", ["1:1: missing key 'checks'", "1:1: missing key 'suite'"], id="no suite"),
        pytest.param("- a\n", ["1:1: expected a mapping, got a list"], id="a list"),
        pytest.param("hello\n", ["1:1: expected a mapping, got 'hello'"], id="a word"),
        pytest.param("", ["1:1: the file is empty"], id="nothing"),
        pytest.param(
            """
            suite: y
            title: ''
            checks: {}
            """,
            [
                "1:8: a suite has its file's name: expected 'x', got 'y'",
                "2:8: title: expected 1 or more characters, got ''",
                "3:9: a suite needs at least one check",
            ],
            id="another name, no title, no checks",
        ),
        pytest.param(
            """
            suite: x
            title: t
            vars: [a]
            in: nod
            or_none: yes
            when: {lnk: {}, in: {container: x}}
            checks: [a]
            """,
            [
                "3:7: vars: expected a mapping, got a list",
                "4:5: a place is node or {netns: {...}}, got 'nod' (did you mean 'node'?)",
                "5:10: or_none: expected true or false, got 'yes'",
                "6:8: unknown kind 'lnk' (did you mean 'link'?)",
                "6:22: unknown place 'container' (known: node, netns)",
                "7:9: checks: expected a mapping, got a list",
            ],
            id="wrong forms all over the suite",
        ),
    ],
)  # fmt: skip
def test_a_broken_suite_tells_all_that_is_wrong(tmp_path: Path, text: str, problems: list[str]) -> None:
    assert told(write(tmp_path, text)) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param(
            """
            a:
              lnk: {ifname: lo}
              wy: x
              severity: hi
            b:
              link: {ifnam: lo}
              severity: blcker
              needs: a
            """,
            [
                "6:5: unknown key 'lnk' (did you mean 'link'?)",
                "7:5: unknown key 'wy' (did you mean 'why'?)",
                "8:15: severity: expected one of blocker, critical, normal, minor, trivial, got 'hi'",
                "10:12: unknown field 'ifnam' (did you mean 'ifname'?)",
                "11:15: severity: expected one of blocker, critical, normal, minor, trivial, got 'blcker' "
                "(did you mean 'blocker'?)",
                "12:12: needs: expected a list, got 'a'",
            ],
            id="unknown keys, kinds, fields and severities",
        ),
        pytest.param(
            f"""
            a:
              {K}
              {K}
            a:
              {K}
            """,
            ["7:5: duplicate key 'link' (first in line 6)", "8:3: duplicate key 'a' (first in line 5)"],
            id="duplicate keys and ids",
        ),
        pytest.param(
            """
            a: 5
            b: [x]
            c:
            d: {}
            """,
            [
                "5:6: a: expected a mapping, got 5",
                "6:6: b: expected a mapping, got a list",
                "7:5: c: expected a mapping, got nothing",
                "8:3: a check needs a kind that says what it looks at, such as link or sysctl",
            ],
            id="checks that are no mappings",
        ),
        pytest.param(
            f"""
            a:
              {K}
              addr: {{ifnam: lo}}
            b:
              why: x
            c:
              any: [{{link: {{ifnme: lo}}}}]
              all: []
            d:
              any: [{{{K}, addr: {{ifname: lo}}}}, x, {{in: node}}, {{all: [{{{K}, in: [x]}}], in: node}}]
            """,
            [
                "5:3: a check has one kind, but here are link, addr; use all: [...] or any: [...]",
                "7:12: unknown field 'ifnam' (did you mean 'ifname'?)",
                "8:3: a check needs a kind that says what it looks at, such as link or sysctl",
                "10:3: a check has one kind, but here are any, all; use all: [...] or any: [...]",
                "11:19: unknown field 'ifnme' (did you mean 'ifname'?)",
                "12:10: 'all' needs a list of questions, got an empty list",
                "14:11: a question has one kind, but here are link, addr; use all: [...] or any: [...]",
                "14:53: expected a question such as {link: {...}}, got 'x'",
                "14:56: a question needs a kind, such as link or sysctl",
                "14:100: a place is node or {netns: {...}}, got a list",
                "14:107: 'in' cannot stand beside 'all'",
            ],
            id="no kind, and more than one",
        ),
        pytest.param(
            f"""
            a:
              eventually: 5
              {K}
            b:
              eventually: 5 hours
              over: 0s
              {K}
            c:
              link: {{ifname: lo, stats: {{rx: {{errors: {{grew: 0}}}}}}}}
            """,
            [
                "6:17: expected a duration such as 500ms, 5s or 2m, got 5",
                "9:17: expected a duration such as 500ms, 5s or 2m, got '5 hours'",
                "10:5: 'over' is for a check that says by how much something grew",
                "10:11: expected a duration such as 500ms, 5s or 2m, got '0s'",
                "12:3: 'grew' needs 'over', the time to watch, such as over: 2s",
            ],
            id="durations",
        ),
        pytest.param(
            f"""
            a:
              for: [x]
              {K}
            b:
              for: {{}}
              {K}
            c:
              for:
                x: {{lnk: {{ifname: lo}}}}
                a b: {{{K}}}
                v: {{{K}}}
                route: {{dst: '*', table: ['x']}}
                n: 5
                o: {{{K}, in: nowhere}}
              link: {{ifname: "${{route.dvv}}", mtu: "${{x.y}}"}}
            """,
            [
                "6:10: 'for' needs a mapping such as {route: {...}}, got a list",
                "9:10: 'for' needs a mapping such as {route: {...}}, got an empty one",
                "13:11: unknown kind 'lnk' (did you mean 'link'?)",
                "14:7: a name is letters, digits, '_' and '-', got 'a b'",
                "15:7: there is a variable 'v' already",
                "16:32: a list needs a word that says how it is meant, such as any_of",
                "17:10: expected a question such as {link: {...}}, got 5",
                "18:35: a place is node or {netns: {...}}, got 'nowhere'",
                "19:20: '${route.dvv}': unknown field 'dvv' (did you mean 'dev'?)",
            ],
            id="for",
        ),
        pytest.param(
            f"""
            a:
              needs: [b, nope, linux::lopback, nosuite::x, linx::loopback, x::b, x::q, 5]
              {K}
            b:
              needs: [a]
              {K}
            c:
              needs: [c]
              {K}
            """,
            [
                "6:5: the check needs itself: a -> b -> a",
                "6:16: unknown check 'nope' (known: a, b, c)",
                "6:22: suite 'linux' has no check 'lopback' (did you mean 'loopback'?)",
                f"6:38: unknown suite 'nosuite' (known: {', '.join(Library().names())})",
                "6:50: unknown suite 'linx' (did you mean 'linux'?)",
                "6:72: unknown check 'q' (known: a, b, c)",
                "6:78: needs[7]: expected text, got 5 (write it in quotes)",
                "12:5: the check needs itself: c -> c",
            ],
            id="needs",
        ),
        pytest.param(
            f"""
            a:
              in: {{container: x}}
              {K}
            b:
              in: {{netns: {{knd: pod}}}}
              all: [{{{K}, in: {{netns: {{}}}}}}, {{{K}, in: {{netns: {{count: 1}}}}}}]
            c:
              in: {{netns: {{kind: pod}}, node: 1}}
              {K}
            """,
            [
                "6:10: unknown place 'container' (known: node, netns)",
                "9:18: unknown field 'knd' (did you mean 'kind'?)",
                "10:44: an empty mapping matches everything; say what is expected",
                "10:84: 'count' judges rows, but here they are only selected",
                "12:9: a place is node or {netns: {...}}, got a mapping",
            ],
            id="places",
        ),
        pytest.param(
            """
            a: !!python/object/apply:os.system [ls]
            b:
              link: {ifname: !foo lo, kind: *nope}
            """,
            [
                "5:6: a: expected a mapping, got a list",
                "5:6: tag '!!python/object/apply:os.system' is not allowed (text that begins with '!' must "
                "stand in quotes)",
                "7:20: tag '!foo' is not allowed (text that begins with '!' must stand in quotes)",
                "7:35: unknown alias '*nope' (text that begins with '*' must stand in quotes)",
            ],
            id="tags and aliases",
        ),
        pytest.param(
            """
            a:
              file: {path: etc/x, text: {match: '['}}
            b:
              file: {type: file}
            c:
              sysctl: {ip_forward: 1, net.ipv4.conf.*.x: 1, 'net.ipv4.conf.${x.y}.z': 1, a.b: {}}
            d:
              sysctl: {}
            e:
              persisted: {where: {name: net.*}, each: {value: 1}}
            f:
              file: {some: {path: /a}, none: {path: /b}}
            g:
              file: {path: relative}
            h:
              sysctl: {where: {value: 1}, count: 1}
            """,
            [
                "6:39: '[' is no regular expression: unterminated character set at position 0",
                "8:11: say which: file needs a path, or in 'where' a pattern of them",
                "10:14: a name is such as net.ipv4.ip_forward, not 'ip_forward'",
                "10:29: 'net.ipv4.conf.*.x' is a pattern: write where: {name: ...}, each: {value: ...}",
                "10:51: unknown variable 'x' in '${x.y}' (known: v)",
                "10:85: an empty mapping matches everything; say what is expected",
                "12:13: nothing is asked of sysctl; write name: value",
                "14:16: persisted needs a name, not a pattern of names such as 'net.*'",
                "16:11: say which: file needs a path, or in 'where' a pattern of them",
                "18:11: a file's path starts with '/', got 'relative'",
                "20:13: say which: sysctl needs a name, or in 'where' a pattern of them",
            ],
            id="kinds that need a name",
        ),
        pytest.param(
            f"""
            'a b':
              {K}
            a::b:
              {K}
            'a[0]@x':
              {K}
            """,
            [
                "5:3: a check is named by letters, digits, '.', '_' and '-', not 'a b'",
                "7:3: a check is named by letters, digits, '.', '_' and '-', not 'a::b'",
                "9:3: a check is named by letters, digits, '.', '_' and '-', not 'a[0]@x'",
            ],
            id="names that would not be an id",
        ),
    ],
)  # fmt: skip
def test_a_broken_check_tells_all_that_is_wrong(tmp_path: Path, text: str, problems: list[str]) -> None:
    assert told(write(tmp_path, checks(text, head="vars: {v: 1}\n"))) == problems


def test_broken_variables_tell_all_that_is_wrong(tmp_path: Path) -> None:
    head = """
        when: {link: {ifname: lo, stats: {rx: {errors: {grew: 0}}}}}
        vars:
          a: {link: {ifname: "${b.ifname}"}}
          b: {link: {ifname: "${a.ifname}"}}
          c: [{x: 1}]
          d:
          e: {link: {ifname: "${e.ifname}"}}
          f g: 1
          h: {link: {ifname: x}, in: {netns: {name: "${h.ifname}"}}}
          i: {lnk: {ifname: x}}
          ok: [1, 2]
        """
    assert told(write(tmp_path, checks('k: {link: {ifname: "${a.ifnme}"}}', head))) == [
        "3:49: 'grew' is for what a check itself asks, and not for what selects",
        "5:3: the variable needs itself: a -> b -> a",
        "7:6: a variable is a question, a plain value or a list of plain values, got a list",
        "8:5: a variable is a question, a plain value or a list of plain values, got nothing",
        "9:3: the variable needs itself: e -> e",
        "10:3: a name is letters, digits, '_' and '-', got 'f g'",
        "11:3: the variable needs itself: h -> h",
        "12:7: unknown kind 'lnk' (did you mean 'link'?)",
        "15:22: '${a.ifnme}': unknown field 'ifnme' (did you mean 'ifname'?)",
    ]


def test_variables_do_not_lead_on_without_end(tmp_path: Path) -> None:
    names = "".join(f'  v{i}: {{link: {{ifname: "${{v{i - 1}.ifname}}"}}}}\n' for i in range(1, 2000))
    head = f"vars:\n  v0: {{{K}}}\n{names}"
    assert told(write(tmp_path, checks(f"k: {{{K}}}", head))) == [
        "24:3: the variable needs 20 others one after the other"
    ]


@pytest.mark.parametrize(
    "body",
    [
        "a: {link: {" + ", ".join(f"f{i}: 1" for i in range(5000)) + "}}",
        "a:\n" + "".join(f"  k{i}: 1\n" for i in range(5000)),
        "".join(f"c{i}: {{needs: [d{i}], {K}}}\n" for i in range(2000)),
        "".join(f"c{i}: {{needs: ['d{i}::x'], {K}}}\n" for i in range(2000)),
        "a: {link: {ifname: {any_of: [" + ", ".join(f"'${{w{i}}}'" for i in range(5000)) + "]}}}",
        "".join(f"c {i}: {{{K}}}\n" for i in range(2000)),
    ],
    ids=["fields", "keys", "needs", "needs elsewhere", "references", "names"],
)
def test_of_very_many_problems_the_first_are_told(tmp_path: Path, body: str) -> None:
    head = "vars: {" + ", ".join(f"v{i}: 1" for i in range(5000)) + "}\n"
    problems = told(write(tmp_path, checks(body, head)))
    assert len(problems) == 101
    assert sum("more than 100 problems; read no further" in problem for problem in problems) == 1


def test_a_circle_of_many_variables_is_told_once(tmp_path: Path) -> None:
    names = "".join(f'  v{i}: {{link: {{ifname: "${{v{(i + 1) % 2000}.ifname}}"}}}}\n' for i in range(2000))
    (problem,) = told(write(tmp_path, checks(f"k: {{{K}}}", f"vars:\n{names}")))
    assert problem.startswith("4:3: the variable needs itself: v0 -> v1 -> v2")


def test_for_does_not_nest_without_end(tmp_path: Path) -> None:
    names = ", ".join(f"v{i}: {{{K}}}" for i in range(11))
    assert told(write(tmp_path, checks(f"k: {{for: {{{names}}}, {K}}}"))) == [
        "4:7: 'for' nests 11 questions; at most 10 are allowed"
    ]


@pytest.mark.parametrize("opening", ["{any: [", "{link: {ifname: {any_of: ["])
def test_nesting_that_aliases_hide_is_refused(tmp_path: Path, opening: str) -> None:
    closing = "]" + "}" * opening.count("{")
    lines = [
        f"  c{i}: &c{i} {opening * 9}{f'*c{i - 1}' if i else '{' + K + '}'}{closing * 9}\n" for i in range(40)
    ]
    path = tmp_path / "x.suite.yaml"
    path.write_text("suite: x\ntitle: t\nchecks:\n" + "".join(lines))
    (problem,) = told(path)
    assert problem.endswith("nested more than 50 levels deep, aliases written out")


def test_a_bomb_of_aliases_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x]\n"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
    ]
    path = tmp_path / "x.suite.yaml"
    path.write_text("".join(lines))
    assert told(path)[0].endswith("more than 100000 values, aliases written out")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x00\xff\xfe" * 50, "1:1: not a text file: character U+0000 is not allowed"),
        (b"suite: \xff", "1:8: not UTF-8 text: byte 0xff"),
        (b"a: " + b"x" * (10 << 20), "1:1: has 10485763 bytes; at most 1048576 (1 MiB) are read"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "x.suite.yaml"
    path.write_bytes(data)
    assert told(path) == [problem]


def test_a_file_whose_name_would_not_be_an_id_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, f"suite: a b\ntitle: t\nchecks: {{k: {{{K}}}}}\n", "a b")
    assert told(path) == ["1:8: a suite's file is named by letters, digits, '.', '_' and '-', not 'a b'"]


def test_an_unknown_key_hides_nothing_else_that_is_wrong(tmp_path: Path) -> None:
    text = """
        a: {severty: minor, link: {ifnam: lo}}
        b: {all: [{lnk: {}, link: {mtuu: 1}}]}
        """
    assert told(write(tmp_path, checks(text))) == [
        "4:7: unknown key 'severty' (did you mean 'severity'?)",
        "4:30: unknown field 'ifnam' (did you mean 'ifname'?)",
        "5:14: unknown kind 'lnk' (did you mean 'link'?)",
        "5:30: unknown field 'mtuu' (did you mean 'mtu'?)",
    ]
