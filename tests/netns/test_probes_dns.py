"""What a DNS server says, and what becomes of a question that it does not answer."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from pytest_netconform.errors import ProbeError
from pytest_netconform.nodes import Node

V4 = "10.0.0.2"
Answer = Callable[[dns.message.Message], bytes]


class Server:
    """Answers one question, over UDP or TCP, with whatever bytes it is told to."""

    def __init__(self, node: Node, over: str, answer: Answer) -> None:
        kind = socket.SOCK_DGRAM if over == "udp" else socket.SOCK_STREAM
        self.sock = node.namespaces.socket(socket.AF_INET, kind)
        self.sock.setblocking(True)
        self.sock.settimeout(10)
        self.sock.bind((V4, 53))
        if over == "tcp":
            self.sock.listen()
        self.answer, self.over = answer, over
        self.thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        if self.over == "udp":
            data, peer = self.sock.recvfrom(65535)
            self.sock.sendto(self.answer(dns.message.from_wire(data)), peer)
            return
        accepted, _ = self.sock.accept()
        with accepted:
            length = int.from_bytes(accepted.recv(2))
            accepted.sendall(self.answer(dns.message.from_wire(accepted.recv(length))))

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.thread.join()
        self.sock.close()


def response(query: dns.message.Message, *texts: str, rcode: str = "NOERROR", flags: int = 0) -> bytes:
    message = dns.message.make_response(query)
    message.set_rcode(dns.rcode.from_text(rcode))
    message.flags |= flags
    name = query.question[0].name
    for text in texts:
        message.answer.append(dns.rrset.from_text(name, 60, "IN", *text.split(" ", 1)))
    return message.to_wire()


def framed(data: bytes) -> bytes:
    return len(data).to_bytes(2) + data


@pytest.mark.parametrize("over", ["udp", "tcp"])
def test_an_answer_is_read(a: Node, b: Node, over: str) -> None:
    def answer(query: dns.message.Message) -> bytes:
        data = response(query, "CNAME other.test.", "A 192.0.2.7", "A 192.0.2.8")
        return data if over == "udp" else framed(data)

    with Server(b, over, answer):
        outcome = a.dns(V4, "web.test", over=over)
    assert outcome.replied
    assert (outcome.rcode, outcome.answers) == ("NOERROR", ("192.0.2.7", "192.0.2.8"))
    assert repr(outcome).startswith("Dns(a -> 10.0.0.2 port 53, web.test A: replied in ")
    assert repr(outcome).endswith(" ms, NOERROR, 192.0.2.7 192.0.2.8)")


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "SERVFAIL", "REFUSED"])
def test_a_verdict_is_a_reply(a: Node, b: Node, rcode: str) -> None:
    with Server(b, "udp", lambda query: response(query, rcode=rcode)):
        outcome = a.dns(b, "web.test")
    assert outcome.replied
    assert (outcome.rcode, outcome.answers, outcome.refused) == (rcode, (), False)


def test_a_cut_answer_says_so(a: Node, b: Node) -> None:
    with Server(b, "udp", lambda query: response(query, flags=dns.flags.TC)):
        assert a.dns(V4, "web.test").truncated


@pytest.mark.parametrize(
    ("spoil", "failed"),
    [
        (lambda query: query.id.to_bytes(2) + b"nonsense", "malformed answer: "),
        (lambda query: query.to_wire(), "malformed answer: it is one to another question"),
        (lambda query: response(query, "A 192.0.2.1")[:-3], "malformed answer: "),
    ],
)
@pytest.mark.parametrize("over", ["udp", "tcp"])
def test_a_malformed_answer_fails(a: Node, b: Node, over: str, spoil: Answer, failed: str) -> None:
    with Server(b, over, spoil if over == "udp" else lambda query: framed(spoil(query))):
        outcome = a.dns(V4, "web.test", over=over)
    assert outcome.failed
    assert outcome.failed.startswith(failed)


def test_an_answer_to_somebody_else_is_none(a: Node, b: Node) -> None:
    with Server(b, "udp", lambda query: (query.id ^ 1).to_bytes(2) + response(query)[2:]):
        assert a.dns(V4, "web.test", timeout_s=0.1).lost


@pytest.mark.parametrize("said", [b"", b"\0", b"\0\x20abc"])
def test_a_stream_that_ends_early_fails(a: Node, b: Node, said: bytes) -> None:
    with Server(b, "tcp", lambda _: said):
        assert a.dns(V4, "web.test", over="tcp").failed == "connection closed"


@pytest.mark.parametrize(("over", "how"), [("udp", "port-unreachable"), ("tcp", "tcp-reset")])
def test_no_server_refuses(a: Node, over: str, how: str) -> None:
    outcome = a.dns(V4, "web.test", over=over)
    assert (outcome.refused, outcome.refused_with, outcome.by) == (True, how, V4)
    assert repr(outcome) == "Dns(a -> 10.0.0.2 port 53, web.test A: refused by 10.0.0.2)"


@pytest.mark.parametrize("over", ["udp", "tcp"])
def test_what_the_path_does_is_as_of_other_probes(a: Node, b: Node, over: str) -> None:
    assert a.dns("203.0.113.1", "web.test", over=over).rejected == "ENETUNREACH"
    b.run("iptables -A INPUT -j DROP")
    assert a.dns(V4, "web.test", over=over, timeout_s=0.1).lost


def test_a_silent_server_is_lost_over_tcp_too(a: Node, b: Node) -> None:
    with b.call(socket.create_server, (V4, 53)):
        assert a.dns(V4, "web.test", over="tcp", timeout_s=0.1).lost


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "x" * 64}, "a: dns x+ A of 10.0.0.2 port 53: cannot be asked for"),
        ({"name": "a..b"}, "cannot be asked for"),
        ({"type": "NONSENSE"}, "cannot be asked for"),
        ({"over": "pigeon"}, "expected over to be udp or tcp"),
        ({"server": "web.test"}, "not an IP address"),
    ],
)
def test_what_cannot_be_asked_raises(a: Node, options: dict[str, str], words: str) -> None:
    with pytest.raises(ProbeError, match=words):
        a.dns(**{"server": V4, "name": "web.test", **options})


@pytest.fixture
def dnsmasq(b: Node) -> None:
    """Run the real thing, which knows a few names; it says when it is ready by going to the background."""
    if not shutil.which("dnsmasq", path="/usr/sbin:/sbin:/usr/bin:/usr/local/sbin"):
        pytest.skip("needs dnsmasq (Debian: dnsmasq-base)")
    many = " ".join(f"--host-record=many.test,192.0.2.{number}" for number in range(1, 200))
    b.run(
        "dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file=/run/dnsmasq.pid "
        "--local=/test/ --host-record=web.test,192.0.2.7,2001:db8::7 --srv-host=_x._tcp.test,web.test,80 "
        f"{many}"
    )


@pytest.mark.usefixtures("dnsmasq")
@pytest.mark.parametrize("over", ["udp", "tcp"])
@pytest.mark.parametrize("server", [V4, "2001:db8::2"])
def test_a_real_server_is_understood(a: Node, over: str, server: str) -> None:
    assert a.dns(server, "web.test", over=over).answers == ("192.0.2.7",)
    assert a.dns(server, "web.test", "AAAA", over=over).answers == ("2001:db8::7",)
    assert a.dns(server, "_x._tcp.test", "SRV", over=over).answers == ("0 0 80 web.test.",)
    assert a.dns(server, "none.test", over=over).rcode == "NXDOMAIN"
    assert a.dns(server, "example.com", over=over).rcode == "REFUSED"


@pytest.mark.usefixtures("dnsmasq")
def test_what_does_not_fit_a_datagram_comes_over_tcp(a: Node) -> None:
    assert a.dns(V4, "many.test").truncated
    outcome = a.dns(V4, "many.test", over="tcp")
    assert (len(outcome.answers), outcome.truncated) == (199, False)
