"""What an iptables rule means as a whole, and its fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_netconform.errors import Unreadable
from pytest_netconform.facts.chainrules import ChainRule
from pytest_netconform.facts.chains import parse_iptables_save
from pytest_netconform.facts.rulespecs import parse_rule

# What was typed, and what iptables-save 1.8.9 printed of it, under both backends
PRINTED = {
    "-p tcp --syn --dport 80 -j LOG --log-prefix 'x y' --log-level 3":
        "-A T -p tcp -m tcp --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN -j LOG "
        '--log-prefix "x y" --log-level 3',
    "-p tcp ! --syn -m multiport --dports 2:5,1 -j REJECT --reject-with tcp-reset":
        "-A T -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m multiport --dports 1,2:5 -j REJECT "
        "--reject-with tcp-reset",
    "-s 10.0.0.1 -j DROP": "-A T -s 10.0.0.1/32 -j DROP",
    "--source 10.0.7.1/255.255.0.0 --jump DROP": "-A T -s 10.0.0.0/16 -j DROP",
    "-d 1.2.3.4/255.0.255.0 -j DROP": "-A T -d 1.2.3.4/255.0.255.0 -j DROP",
    "! -f -j DROP": "-A T ! -f -j DROP",
    "-s 0.0.0.0/0 -i + -p all -j DROP": "-A T -j DROP",
    "-m mark --mark 5 -m mark ! --mark 5/6 -m connmark --mark 4":
        "-A T -m mark --mark 0x5 -m mark ! --mark 0x5/0x6 -m connmark --mark 0x4",
    "-j MARK --set-mark 3": "-A M -j MARK --set-xmark 0x3/0xffffffff",
    "-j MARK --set-mark 3/5": "-A M -j MARK --set-xmark 0x3/0x7",
    "-j MARK --or-mark 3": "-A M -j MARK --set-xmark 0x3/0x3",
    "-j MARK --and-mark 3": "-A M -j MARK --set-xmark 0x0/0xfffffffc",
    "-j MARK --xor-mark 3": "-A M -j MARK --set-xmark 0x3/0x0",
    "-j MARK --set-xmark 3": "-A M -j MARK --set-xmark 0x3/0xffffffff",
    "-m conntrack --ctstate ESTABLISHED,RELATED,NEW -m conntrack ! --ctstate INVALID --ctproto tcp -j ACCEPT":
        "-A T -m conntrack --ctstate NEW,RELATED,ESTABLISHED -m conntrack ! --ctstate INVALID --ctproto 6 "
        "-j ACCEPT",
    "-m addrtype ! --src-type LOCAL --dst-type BROADCAST,LOCAL --limit-iface-in -j ACCEPT":
        "-A T -m addrtype ! --src-type LOCAL --dst-type LOCAL,BROADCAST --limit-iface-in -j ACCEPT",
    "-m statistic --mode random --probability 0.3333333333 -j ACCEPT":
        "-A T -m statistic --mode random --probability 0.33333333349 -j ACCEPT",
    "-m recent --name foo --rcheck --seconds 10 --reap -j ACCEPT":
        "-A T -m recent --rcheck --seconds 10 --reap --name foo --mask 255.255.255.255 --rsource -j ACCEPT",
    "-m recent --set": "-A T -m recent --set --name DEFAULT --mask 255.255.255.255 --rsource",
    "-m limit --limit 5/minute --limit-burst 5": "-A T -m limit --limit 5/min",
    "-m rpfilter --invert --validmark -j DROP": "-A R -m rpfilter --validmark --invert -j DROP",
    "-j REJECT": "-A T -j REJECT --reject-with icmp-port-unreachable",
    "-p 6 --dport 80 -g T": "-A T -p tcp -m tcp --dport 80 -g T",
    "-p udp -j DNAT --to-destination 10.0.0.1:53": "-A T -p udp -m udp -j DNAT --to-destination 10.0.0.1:53",
    "--dport ! 80 -p tcp": "-A T -p tcp -m tcp ! --dport 80",
    "-p icmpv6 --icmpv6-type 128": "-A T -p ipv6-icmp -m icmp6 --icmpv6-type 128",
}  # fmt: skip


@pytest.mark.parametrize("typed", PRINTED)
def test_a_rule_as_typed_equals_what_iptables_prints_of_it(typed: str) -> None:
    assert parse_rule(typed) == parse_rule(PRINTED[typed])
    assert hash(parse_rule(typed)) == hash(parse_rule(PRINTED[typed]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-s 10.0.0.1 -j DROP", "-d 10.0.0.1 -j DROP"),
        ("-s 10.0.0.1 -j DROP", "! -s 10.0.0.1 -j DROP"),
        ("-s 10.0.0.0/8 -j DROP", "-s 10.0.0.0/16 -j DROP"),
        ("-j T", "-g T"),
        ("-j DROP", "-p tcp -j DROP"),
        ("-p tcp -j DROP", "-p udp -j DROP"),
        ("-m mark --mark 4", "-m connmark --mark 4"),
        ("-m mark --mark 0x4000/0x4000", "-m mark --mark 0x4000"),
        ("-m conntrack --ctstate NEW", "-m state --state NEW"),
        ("-m set --match-set a src", "-m set --set a src"),
        ("-m set --match-set a src", "-m set --match-set a dst"),
        ("-j MASQUERADE", "-j MASQUERADE --random-fully"),
        ("-j MARK --set-xmark 0x4000/0x0", "-j MARK --set-xmark 0x4000/0x4000"),
        ("-p tcp --dport 80", "-p tcp --sport 80"),
        ("-m socket -j DROP", "-j DROP"),
        ("-m tcp -p udp -j DROP", "-p udp -j DROP"),
        (
            "-m set --match-set a src -m set ! --match-set b dst",
            "-m set --match-set b src -m set ! --match-set a dst",
        ),
    ],
)
def test_rules_that_mean_something_else_stay_different(one: str, other: str) -> None:
    assert parse_rule(one) != parse_rule(other)


PARTS = [
    "-s 10.0.0.0/8", "! -d 10.42.0.0/16", "-p tcp -m tcp --dport 80", "-i cni0", "-o eth+",
    "-m mark --mark 0x4000",
    "-m conntrack ! --ctstate INVALID", '-m comment --comment "a b"', "-m set --match-set x src", "-j DROP",
]  # fmt: skip


@given(st.permutations(PARTS), st.text(max_size=20))
def test_neither_order_nor_comment_matters(parts: list[str], comment: str) -> None:
    said = comment.replace("\\", "\\\\").replace('"', '\\"')
    text = " ".join(parts).replace('"a b"', f'"{said}"')
    assert parse_rule(text) == parse_rule(" ".join(part for part in PARTS if "comment" not in part))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an empty rule"),
        ("10.0.0.0/8 -j DROP", "expected an option, got '10.0.0.0/8'"),
        ("-s 10.42.0.0/33 -j DROP", "'10.42.0.0/33' is no address or network"),
        ("-s 10.0.0.1,10.0.0.2 -j DROP", "a rule has one of them"),
        ("-s -j", "is no address"),
        ("-j", "-j needs a value"),
        ("--comment", "--comment needs a value"),
        ('-m comment --comment "x', "a quote is not closed"),
    ],
)
def test_a_text_that_is_no_rule_says_why(text: str, said: str) -> None:
    assert said in str(ChainRule.misspelt(text))
    with pytest.raises(Unreadable) as caught:
        parse_rule(text)
    assert said in str(caught.value)


def rule(text: str) -> ChainRule:
    dump = f"*filter\n:INPUT ACCEPT [0:0]\n:T - [0:0]\n[3:4] -A T {text}\nCOMMIT\n"
    return parse_iptables_save(dump, "ip", "nft")[1].rules[0]


def test_the_fields_of_a_rule_are_what_people_match_by() -> None:
    found = rule(
        '! -s 10.42.0.0/16 -d 10.43.0.1/32 -i cni0 ! -o eth+ -p tcp -m comment --comment "a \\"b\\" c" '
        "-m tcp --dport 443 -m conntrack ! --ctstate RELATED,ESTABLISHED -m mark --mark 0x4000/0x4000 "
        "-j KUBE-MARK-MASQ"
    )
    assert (found.packets, found.bytes, found.chain, found.index, found.table) == (3, 4, "T", 1, "filter")
    assert (found.src, found.dst, found.iif, found.oif) == (
        "! 10.42.0.0/16",
        "10.43.0.1/32",
        "cni0",
        "! eth+",
    )
    assert (found.protocol, found.dport, found.ctstate) == ("tcp", "443", "! RELATED,ESTABLISHED")
    assert (found.mark, found.jump, found.goto, found.comment) == (
        "0x4000/0x4000", "KUBE-MARK-MASQ", None, 'a "b" c',
    )  # fmt: skip
    assert found.text.startswith("-A T ! -s 10.42.0.0/16")
    assert found.options == {}


def test_several_sets_a_negated_flag_and_unknown_options_are_kept() -> None:
    masquerade = rule(
        "-m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst "
        "-j MASQUERADE --random-fully"
    )
    assert masquerade.match_set == ("cali40masq-ipam-pools src", "! cali40all-ipam-pools dst")
    assert (masquerade.jump, masquerade.random_fully) == ("MASQUERADE", True)
    fragment = rule("! -f -m hashlimit --hashlimit-upto 5/sec --hashlimit-name x ! --odd -j ACCEPT")
    assert (fragment.fragment, fragment.random_fully) == (False, None)
    assert fragment.options == {"hashlimit_upto": "5/sec", "hashlimit_name": "x", "odd": False}


def test_marks_of_packet_and_connection_are_told_apart() -> None:
    both = rule(
        "-m connmark --mark 0x1 -m mark --mark 0x2 -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff"
    )
    assert (both.connmark, both.mark, both.save_mark) == ("0x1", "0x2", True)
    assert both.options == {"nfmask": "0xff", "ctmask": "0xff"}


def test_a_comment_may_look_like_an_option() -> None:
    found = rule("-m comment --comment -j -j DROP")
    assert (found.comment, found.jump) == ("-j", "DROP")
    assert found.spells("-j DROP")


def test_a_rule_spells_a_text_and_says_how_like_it_is() -> None:
    found = rule("-s 10.42.0.0/16 ! -d 224.0.0.0/4 -m comment --comment x -j MASQUERADE --random-fully")
    assert found.spells("! -d 224.0.0.0/4 -s 10.42.0.0/16 -j MASQUERADE --random-fully")
    assert not found.spells("-s 10.42.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE")
    near, far = "-s 10.42.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE", "-i lo -j DROP"
    assert 1 > found.likeness(near) > found.likeness(far) == 0
    assert found.likeness(found.text) == 1


def test_a_rule_without_a_target_and_one_that_only_jumps_have_their_meaning() -> None:
    assert rule("-p tcp").jump is None
    assert parse_rule("-p tcp").target == ("", "", frozenset())
    assert rule("-j T2").caption() == "iptables-nft -t filter -A T -j T2"


@given(st.text())
def test_no_rule_of_a_dump_fails_when_it_is_read(text: str) -> None:
    line = "[0:0] -A T " + text.replace("\n", " ").replace('"', "'")
    (chain,) = parse_iptables_save(f"*t\n:T - [0:0]\n{line}\nCOMMIT\n", "ip", "legacy")
    assert chain.rules[0].text
    assert isinstance(chain.rules[0].options, dict)
    assert chain.rules[0].spec == chain.rules[0].spec
    assert repr(chain.rules[0])
