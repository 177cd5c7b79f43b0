"""How far a GET comes, and what stopped it."""

from __future__ import annotations

import math
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_netconform.errors import ProbeError
from pytest_netconform.kernel.probing.driving import Wait
from pytest_netconform.nodes import Net, Node
from pytest_netconform.probes.streams import MOST_AT_ONCE, Connection, TimeOver

V4, V6 = "10.0.0.2", "2001:db8::2"
TLS = Path(__file__).parents[1] / "data" / "tls"


class Raw:
    """A server that takes one connection, reads once, says something, and closes or hangs."""

    def __init__(self, node: Node, said: bytes, *, reset: bool = False, hang: bool = False) -> None:
        self.sock = node.call(socket.create_server, ("10.0.0.2", 0))
        self.port = self.sock.getsockname()[1]
        self.said, self.reset, self.hang = said, reset, hang
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        self.sock.settimeout(10)
        accepted, _ = self.sock.accept()
        with accepted:
            accepted.recv(100 if self.reset else 65536)  # what is left unread makes a close a reset
            accepted.sendall(self.said)
            if self.hang:
                self.over.wait(10)

    def __enter__(self) -> Raw:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        self.sock.close()


@pytest.mark.parametrize("dst", [V4, V6, "http://10.0.0.2/", "http://[2001:db8::2]:80/"])
def test_a_response_is_a_reply(a: Node, b: Node, dst: str) -> None:
    b.listen(80, "http", body=b"ok")
    outcome = a.http(dst)
    assert outcome.replied
    assert (outcome.status, outcome.body, outcome.phase, outcome.tls) == (200, b"ok", "done", None)
    assert outcome.headers["content-length"] == "2"
    assert repr(outcome).startswith("Http(a -> http://")
    assert repr(outcome).endswith(" ms, status 200)")


def test_another_namespace_is_asked(a: Node, b: Node) -> None:
    b.listen(80, "http")
    assert a.http(b).url == "http://10.0.0.2/"


def test_a_link_local_server_is_named_with_its_device(a: Node, b: Node) -> None:
    local = next(addr.local for addr in b.addrs if addr.local.startswith("fe80"))
    b.listen(80, "http")
    assert a.http(f"{local}%eth0").replied
    assert a.http(f"http://[{local}%25eth0]/").replied


@pytest.mark.parametrize(
    ("said", "status", "body"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", 404, b"gone"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            200,
            b"abcde",
        ),
        (
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
            503,
            b"",
        ),
        (b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 200, b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + bytes(70000), 200, bytes(65536)),
    ],
)
def test_every_form_of_response_is_read(a: Node, b: Node, said: bytes, status: int, body: bytes) -> None:
    with Raw(b, said) as server:
        outcome = a.http(V4, server.port)
    assert outcome.replied
    assert (outcome.status, outcome.body) == (status, body)


@pytest.mark.parametrize(
    ("said", "failed", "phase"),
    [
        (b"", "connection closed", "request"),
        (b"SSH-2.0-x\r\n", "malformed answer: it begins with b'SSH-2.0-x", "request"),
        (b"HTTP/1.1 200", "malformed answer: it ends before its headers do", "request"),
        (b"HTTP/1.1 abc\r\n\r\n", "malformed answer: BadStatusLine", "request"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            "malformed answer: it ends after 3 of 9",
            "body",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "malformed answer: it ends bef",
            "body",
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 66000, "malformed answer: its headers are longer", "request"),
    ],
)
def test_what_is_no_response_fails(a: Node, b: Node, said: bytes, failed: str, phase: str) -> None:
    with Raw(b, said) as server:
        outcome = a.http(V4, server.port)
    assert outcome.failed
    assert outcome.failed.startswith(failed)
    assert (outcome.phase, outcome.replied) == (phase, False)


@pytest.mark.parametrize("https", [False, True])
def test_a_reset_after_the_connection_fails(a: Node, b: Node, https: bool) -> None:
    with Raw(b, b"", reset=True) as server:
        outcome = a.http(V4, server.port, headers={"X": "x" * 500}, https=https)
    assert outcome.failed == "connection reset"
    assert outcome.phase == ("tls" if https else "request")


@pytest.mark.parametrize(("said", "phase"), [(b"", "request"), (b"HTTP/1.1 200 OK\r\n\r\n", "body")])
def test_silence_says_after_what(a: Node, b: Node, said: bytes, phase: str) -> None:
    with Raw(b, said, hang=True) as server:
        outcome = a.http(V4, server.port, timeout_s=0.2)
    assert outcome.lost
    assert outcome.phase == phase
    assert f"lost, waited {outcome.waited_ms:.0f} ms, in phase {phase}" in repr(outcome)


def test_silence_in_the_handshake_says_so(a: Node, b: Node) -> None:
    with Raw(b, b"", hang=True) as server:
        outcome = a.http(V4, server.port, https=True, timeout_s=0.2)
    assert (outcome.lost, outcome.phase) == (True, "tls")


def test_what_stops_the_connection_is_as_of_tcp(a: Node, b: Node) -> None:
    assert a.http(V4).refused_with == "tcp-reset"
    assert a.http("203.0.113.1").rejected == "ENETUNREACH"
    b.run("iptables -A INPUT -p tcp --dport 81 -j DROP")
    b.run("iptables -A INPUT -p tcp --dport 82 -j REJECT --reject-with icmp-host-prohibited")
    outcome = a.http(V4, 81, timeout_s=0.1)
    assert (outcome.lost, outcome.phase) == (True, "connect")
    outcome = a.http(V4, 82)
    assert (outcome.unreachable, outcome.by) == ("host-prohibited", V4)
    assert repr(outcome).endswith("unreachable, host-prohibited by 10.0.0.2, in phase connect)")


def test_what_is_too_big_for_a_silent_hop_is_lost_after_the_connection(a: Node, b: Node) -> None:
    listener = b.listen(443, "https", body=bytes(5000))
    b.run("iptables -A OUTPUT -p tcp -m length --length 600: -j DROP")
    assert a.tcp(V4, 443).replied
    outcome = a.http(V4, https=True, ca=listener.ca, timeout_s=0.4)
    assert (outcome.lost, outcome.phase) == (True, "tls")


def test_tls_is_spoken(a: Node, b: Node) -> None:
    listener = b.listen(443, "https", body=b"ok")
    outcome = a.http("https://10.0.0.2/", ca=listener.ca)
    assert outcome.replied
    assert (outcome.tls, outcome.body) == ("TLSv1.3", b"ok")
    assert a.http("https://[2001:db8::2]/", ca=listener.ca).replied
    assert a.http(V4, https=True, ca=listener.ca, host="b").replied
    assert a.http(V4, https=True, verify=False).replied


def test_an_authority_may_be_a_file(a: Node, b: Node, tmp_path: Path) -> None:
    listener = b.listen(443, "https")
    path = tmp_path / "ca.pem"
    path.write_text(listener.ca or "")
    assert a.http(V4, https=True, ca=path).replied
    assert a.http(V4, https=True, ca=str(path)).replied


def test_who_signed_by_nobody_known_fails(a: Node, b: Node) -> None:
    b.listen(443, "https")
    outcome = a.http(V4, https=True)
    assert outcome.failed == "unable to get local issuer certificate"
    assert outcome.phase == "tls"
    assert repr(outcome) == (
        "Http(a -> https://10.0.0.2/: failed, unable to get local issuer certificate, in phase tls)"
    )


def test_the_wrong_name_fails(a: Node, b: Node) -> None:
    listener = b.listen(443, "https")
    outcome = a.http(V4, https=True, ca=listener.ca, host="elsewhere.test")
    assert outcome.failed == "Hostname mismatch, certificate is not valid for 'elsewhere.test'"
    b.run("ip addr add 10.0.0.77/32 dev lo")
    a.run("ip route add 10.0.0.77 via 10.0.0.2")
    failed = a.http("10.0.0.77", https=True, ca=listener.ca).failed
    assert failed == "IP address mismatch, certificate is not valid for '10.0.0.77'"


def test_an_expired_certificate_fails(a: Node, b: Node) -> None:
    b.listen(443, "https", certificate=TLS / "expired.pem")
    assert a.http(V4, https=True, ca=TLS / "authority.pem").failed == "certificate has expired"


def test_tls_to_a_plain_server_is_the_wrong_version(a: Node, b: Node) -> None:
    b.listen(80, "http")
    outcome = a.http("https://10.0.0.2:80/")
    assert (outcome.failed, outcome.phase) == ("wrong version number", "tls")


def test_a_plain_request_to_a_tls_server_fails(a: Node, b: Node) -> None:
    b.listen(443, "https")
    assert a.http(V4, 443).failed


def test_no_common_version_fails_in_openssls_words(a: Node, b: Node) -> None:
    with Raw(b, b"\x15\x03\x03\x00\x02\x02\x46") as server:  # a fatal alert: protocol_version
        outcome = a.http(V4, server.port, https=True)
    assert outcome.failed
    assert "alert protocol version" in outcome.failed


def test_source_and_mark_are_as_of_tcp(a: Node, b: Node) -> None:
    a.run("ip addr add 10.0.0.77/32 dev lo; ip rule add fwmark 7 blackhole")
    b.run("ip route add 10.0.0.77 via 10.0.0.1")
    listener = b.listen(80, "http")
    assert a.http(V4, source="10.0.0.77").replied
    assert listener.requests[0].peer.address == "10.0.0.77"
    assert a.http(V4, mark=7).rejected == "EINVAL"


def test_a_request_works_inside_a_running_event_loop(a: Node, b: Node) -> None:
    import asyncio

    listener = b.listen(443, "https")

    async def probe() -> bool:
        return a.http(V4, https=True, ca=listener.ca).replied

    assert asyncio.run(probe())


@pytest.mark.parametrize(
    ("dst", "options", "words"),
    [
        ("web.test", {}, "a: http web.test: not an IP address"),
        ("http://web.test/", {}, "'web.test' is no address; give the address, and host='web.test'"),
        ("ftp://10.0.0.2/", {}, "expected http://"),
        ("http://me@10.0.0.2/", {}, "expected http://"),
        ("http://10.0.0.2:99999/", {}, "not a URL"),
        ("http://[10.0.0.2/", {}, "not a URL"),
        ("http://10.0.0.2/", {"port": 80}, "a URL says port, path and https itself"),
        (V4, {"path": "x"}, "expected a path that begins with /"),
        (V4, {"path": "/ HTTP/1.0\r\nX: y"}, "expected a path that begins with /"),
        (V4, {"host": "a\r\nb"}, "is no header"),
        (V4, {"headers": {"a b": "c"}}, "is no header"),
        (V4, {"https": True, "ca": "/nowhere.pem"}, "no certificate authority in /nowhere.pem"),
        (V4, {"https": True, "ca": "-----BEGIN CERTIFICATE-----\nx"}, "no certificate authority in its text"),
    ],
)
def test_what_cannot_be_asked_raises(a: Node, dst: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(ProbeError, match=words):
        a.http(dst, **options)


def test_no_name_for_a_certificate_raises(a: Node, b: Node) -> None:
    b.listen(443, "https")
    with pytest.raises(ProbeError, match="is no name for a certificate"):
        a.http(V4, https=True, host=".")


@pytest.mark.parametrize("probe", ["tcp", "http", "https", "dns"])
def test_a_connection_that_was_lost_does_not_keep_its_namespace(
    probe: str, eventually: Callable[[Callable[[], bool]], bool]
) -> None:
    with Net() as surviving:
        witness = surviving.netns("witness")
        with Net() as net:
            a = net.node("a")
            net.veth(a, witness, subnet="10.0.0.0/30")
            a.run("iptables -A OUTPUT -p tcp ! --syn -j DROP")
            with witness.call(socket.create_server, (V4, 80)):
                outcome = {
                    "tcp": lambda: a.tcp(V4, 80),
                    "http": lambda: a.http(V4, timeout_s=0.1),
                    "https": lambda: a.http(V4, 80, https=True, timeout_s=0.1),
                    "dns": lambda: a.dns(V4, "web.test", over="tcp", port=80, timeout_s=0.1),
                }[probe]()
                assert outcome.verdict == ("replied" if probe == "tcp" else "lost")
        assert eventually(lambda: "eth0" not in witness.links)


ENDLESS = """
import socket
sock = socket.create_server(("10.0.0.2", 8000))
print("up", flush=True)
accepted, _ = sock.accept()
accepted.recv(1000)
while True:
    accepted.send({said} * 2000)
"""


def test_interim_responses_are_not_taken_for_ever(a: Node, b: Node) -> None:
    said = b"HTTP/1.1 100 Continue\r\n\r\n"
    b.daemon([sys.executable, "-c", ENDLESS.format(said=said)], re.compile("up"))
    outcome = a.http(V4, 8000, timeout_s=10)
    assert outcome.failed == "malformed answer: more than 32 interim responses come before it"


def test_who_talks_without_an_end_is_given_up_at_the_end_of_the_time() -> None:
    one, other = socket.socketpair()
    with one, other:
        other.send(b"x")
        with pytest.raises(TimeOver):
            next(Connection(one, time.monotonic()).receive())
        with pytest.raises(TimeOver):
            next(Connection(one, time.monotonic()).send(b"x"))


def test_who_talks_without_an_end_lets_others_have_their_turn() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        connection = Connection(one, math.inf)
        for _ in range(MOST_AT_ONCE):
            other.send(b"x")
            with pytest.raises(StopIteration):
                next(connection.receive())
        other.send(b"x")
        assert isinstance(next(connection.receive()), Wait)
