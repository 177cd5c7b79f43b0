"""Servers in this process: they answer probes and commands, say who came, and end with their namespace."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_netconform.errors import BuildError, CommandFailed, ProbeError
from pytest_netconform.nodes import Net, Node

V4, V6 = "10.0.0.2", "2001:db8::2"


def tasks() -> int:
    """Count our threads as the kernel does."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208


@pytest.mark.parametrize(("dst", "peer"), [(V4, "10.0.0.1"), (V6, "2001:db8::1")])
def test_a_listener_says_who_connected(a: Node, b: Node, dst: str, peer: str) -> None:
    listener = b.listen(80)
    assert a.tcp(dst, 80).replied
    assert [each.address for each in listener.await_connections()] == [peer]
    assert [each.address for each in listener.connections] == [peer]


@pytest.mark.parametrize(("dst", "peer"), [(V4, "10.0.0.1"), (V6, "2001:db8::1")])
def test_a_datagram_comes_back(a: Node, b: Node, dst: str, peer: str) -> None:
    listener = b.listen(53, "udp")
    assert a.udp(dst, 53, b"abc").answer == b"abc"
    assert [(each.peer.address, each.data) for each in listener.requests] == [(peer, b"abc")]


@pytest.mark.parametrize("dst", ["10.0.0.77", "2001:db8::77"])
def test_a_datagram_is_answered_from_the_address_that_it_was_sent_to(a: Node, b: Node, dst: str) -> None:
    b.run("ip addr add 10.0.0.77/32 dev lo; ip addr add 2001:db8::77/128 dev lo")
    a.run("ip route add 10.0.0.77 via 10.0.0.2; ip route add 2001:db8::77 via 2001:db8::2")
    b.listen(53, "udp")
    assert a.udp(dst, 53).replied


def test_a_link_local_datagram_is_answered(a: Node, b: Node) -> None:
    local = next(addr.local for addr in b.addrs if addr.local.startswith("fe80"))
    listener = b.listen(53, "udp")
    assert a.udp(f"{local}%eth0", 53).replied
    assert listener.requests[0].peer.address.startswith("fe80::")


def test_the_source_after_nat_is_what_a_listener_sees(a: Node, b: Node) -> None:
    a.run("ip addr add 10.0.0.99/32 dev lo; iptables -t nat -A POSTROUTING -j SNAT --to 10.0.0.99")
    b.run("ip route add 10.0.0.99 via 10.0.0.1")
    listener = b.listen(kind="http")
    assert json.loads(a.http(V4, listener.port).body)["peer"] == "10.0.0.99"
    assert listener.requests[0].peer.address == "10.0.0.99"


def test_http_answers_with_what_was_asked(a: Node, b: Node) -> None:
    listener = b.listen(80, "http")
    echo = json.loads(a.http(V4, path="/x?y=1", headers={"X-Hops": "3"}).text)
    assert (echo["method"], echo["path"], echo["headers"]["x-hops"]) == ("GET", "/x?y=1", "3")
    request = listener.requests[0]
    assert (request.method, request.path, request.headers["x-hops"]) == ("GET", "/x?y=1", "3")


@pytest.mark.parametrize("body", [bytes(5000), "5000 ü"])
def test_http_answers_with_a_given_body(a: Node, b: Node, body: bytes | str) -> None:
    b.listen(80, "http", body=body)
    assert a.http(V4).body == (body.encode() if isinstance(body, str) else body)


def test_an_answer_that_breaks_is_told_and_leaves_the_others_served(a: Node, b: Node) -> None:
    broken, other = b.listen(80, "http"), b.listen(81, "http")
    broken._body = 5  # type: ignore[assignment]
    assert a.http(V4, 80).failed
    assert a.http(V4, 81).replied
    with pytest.raises(ProbeError, match="<http listener b port 80>: an answer failed: TypeError"):
        _ = broken.requests
    assert len(broken.requests) == len(other.requests) == 1


def test_an_answer_that_breaks_is_told_at_the_end_at_the_latest() -> None:
    net = Net()
    net.veth(net.node("a"), net.node("b"), subnet="10.0.0.0/30")
    broken, other = net["b"].listen(80, "http"), net["b"].listen(81)
    broken._body = 5  # type: ignore[assignment]
    assert net["a"].http(V4, 80).failed
    with pytest.raises(ProbeError, match="an answer failed"):
        net.close()
    assert "closed" in repr(other)


def spoofed(source: str, dst: str, port: int) -> None:
    """Send a datagram that gives itself out for a listener's."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as sock:
        sock.bind((source, 0))
        sock.sendto(struct.pack("!4H", port, port, 9, 0) + b"x", (dst, 0))


@pytest.mark.parametrize("dst", [V4, "127.0.0.1"])
def test_listeners_do_not_answer_each_other_or_themselves(a: Node, b: Node, dst: str) -> None:
    first, second = a.listen(7, "udp"), b.listen(7, "udp")
    a.call(spoofed, "10.0.0.1" if dst == V4 else dst, dst, 7)
    (second if dst == V4 else first).await_requests()
    assert a.udp(V4, 7).replied  # and so takes its turn
    assert len(first.requests) + len(second.requests) == 2


FLOOD = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect(("10.0.0.2", 9000))
while True:
    try:
        sock.send(b"x" * 100)
    except OSError:
        pass
"""


def test_a_flood_is_listed_and_closed_to(a: Node, b: Node) -> None:
    listener, other = b.listen(9000, "udp"), b.listen(80)
    a.popen([sys.executable, "-c", FLOOD])
    listener.await_requests(100)
    assert len(listener.requests) >= 100
    assert a.tcp(V4, 80, timeout_s=10).replied
    assert other.connections
    listener.close()


def test_what_was_said_long_ago_is_not_kept_but_counted(
    a: Node, b: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_netconform.probes.kept.MOST_KEPT", 3)
    monkeypatch.setattr("pytest_netconform.probes.kept.MOST_BYTES_KEPT", 1000)
    listener = b.listen(53, "udp")
    for data in (b"0", b"1", b"2", b"3"):
        assert a.udp(V4, 53, data).replied
    assert ([each.data for each in listener.requests], listener.left_out) == ([b"1", b"2", b"3"], 1)
    assert a.udp(V4, 53, bytes(999)).replied
    assert [len(each.data) for each in listener.await_requests(5)] == [1, 999]
    assert listener.left_out == 3


def test_a_link_local_address_is_listened_at(a: Node, b: Node) -> None:
    b.run("ip link set eth0 down; ip link set eth0 name wire up")
    b.run("ip addr add fe80::2/64 dev wire nodad")
    a.run("ip addr add fe80::1/64 dev eth0 nodad")
    b.listen(80, address="fe80::2%wire")
    b.listen(53, "udp", address="fe80::2%wire")
    assert a.tcp("fe80::2%eth0", 80).replied
    assert a.udp("fe80::2%eth0", 53).replied


def test_commands_are_answered_while_we_wait_for_them(a: Node, b: Node) -> None:
    b.listen(80, "http", body=b"hello")
    listener = b.listen(443, "https", body=b"hello")
    get = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
    assert a.run([sys.executable, "-c", get, f"http://{V4}/"]).stdout == "hello\n"
    a.write("/run/ca.pem", listener.ca or "")
    env = {"SSL_CERT_FILE": "/run/ca.pem"}
    assert a.run([sys.executable, "-c", get, f"https://[{V6}]/"], env=env).stdout == "hello\n"


def test_a_stream_comes_back_however_long_it_is(a: Node, b: Node) -> None:
    port = b.listen().port

    def talk() -> bytes:
        sent, taken = os.urandom(1 << 20), b""
        with socket.create_connection((V4, port)) as sock:
            sender = threading.Thread(target=lambda: (sock.sendall(sent), sock.shutdown(socket.SHUT_WR)))
            sender.start()
            while piece := sock.recv(65536):
                taken += piece
            sender.join()
        assert taken == sent
        return taken

    assert len(a.call(talk)) == 1 << 20


def test_a_body_is_read_however_it_is_sent(a: Node, b: Node) -> None:
    listener = b.listen(80, "http")
    post = "import http.client as h; c = h.HTTPConnection('10.0.0.2');"
    post += "c.request('POST', '/in', b'x' * 50000, {'Expect': '100-continue'});"
    post += "assert c.getresponse().status == 200"
    a.run([sys.executable, "-c", post])
    assert (listener.requests[0].method, len(listener.requests[0].data)) == ("POST", 50000)


@pytest.mark.parametrize("kind", ["http", "https"])
@pytest.mark.parametrize(
    "said", [b"\0\1\2\3", b"GET\r\n\r\n", b"GET / HTTP/9.x\r\n\r\n", b"\r\n\r\n", b"x" * 70000]
)
def test_nonsense_does_not_end_a_listener(a: Node, b: Node, kind: str, said: bytes) -> None:
    listener = b.listen(80, kind, body=b"ok")

    def talk() -> None:
        with socket.create_connection((V4, 80), 10) as sock, suppress(OSError):  # such a one may be reset
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass

    a.call(talk)
    assert a.http(V4, 80, https=kind == "https", ca=listener.ca).body == b"ok"


def test_a_listener_ends_with_its_context(a: Node, b: Node) -> None:
    with b.listen(80) as listener:
        assert a.tcp(V4, 80).replied
    assert a.tcp(V4, 80).refused
    assert repr(listener) == "<tcp listener b port 80, closed>"
    listener.close()
    b.listen(80)
    assert a.tcp(V4, 80).replied


def test_an_open_connection_is_reset_at_the_end(a: Node, b: Node) -> None:
    listener = b.listen(80)
    with a.call(socket.create_connection, (V4, 80)) as sock:
        listener.await_connections()
        listener.close()
        sock.settimeout(10)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_no_thread_and_no_descriptor_is_left(a: Node, b: Node, descriptors: Callable[[], int]) -> None:
    with b.listen(80):
        a.tcp(V4, 80)
    before, threads = descriptors(), tasks()
    listeners = [b.listen(0, kind) for kind in ("tcp", "udp", "http", "https")]
    assert tasks() == threads + 1
    for listener in listeners:
        a.tcp(V4, listener.port)
        listener.close()
    assert (descriptors(), tasks()) == (before, threads)


def test_a_namespace_goes_with_its_listeners(descriptors: Callable[[], int]) -> None:
    before = descriptors()
    with Net() as net:
        net.veth(net.node("a"), net.node("b"), subnet="10.0.0.0/30")
        listener = net["b"].listen()
        with net["a"].call(socket.create_connection, (V4, listener.port)):
            listener.await_connections()
    assert descriptors() == before
    assert listener.connections


def test_a_client_that_vanishes_does_not_keep_the_namespace(
    eventually: Callable[[Callable[[], bool]], bool],
) -> None:
    with Net() as surviving:
        client = surviving.node("client")
        with Net() as net:
            b = net.node("b")
            net.veth(client, b, subnet="10.0.0.0/30")
            listener = b.listen()
            with client.call(socket.create_connection, (V4, listener.port)) as sock:
                sock.send(b"hello")
                listener.await_requests()
                client.run("iptables -A INPUT -j DROP")
            assert eventually(lambda: not listener._open)
        assert eventually(lambda: "eth0" not in client.links)


FORK = """
import os, sys, warnings
warnings.simplefilter("error")
threads = []  # as counted by the last one that is called before a fork
os.register_at_fork(before=lambda: threads.append(len(os.listdir("/proc/self/task"))))
from pytest_netconform.nodes import Net

with Net() as net:
    net.veth(net.node("a"), net.node("b"), subnet="10.0.0.0/30")
    listener = net["b"].listen(80, "http", body=b"ok")
    before = len(os.listdir("/proc/self/task"))
    ours = f"socket:[{os.fstat(listener._sock.fileno()).st_ino}]"
    pid = os.fork()
    if not pid:
        with os.scandir("/proc/self/fd") as found:
            os._exit(ours in [os.readlink(each.path) for each in found if int(each.name) < 100])
    assert (before, threads[-1]) == (2, 1), (before, threads)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert net["a"].http("10.0.0.2").body == b"ok"
    assert len(listener.requests) == 1
"""


def test_a_fork_meets_no_thread_and_takes_no_socket_along() -> None:
    checkout = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", FORK], cwd=checkout, env={**os.environ, "PYTHONPATH": checkout},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_fifty_listeners_serve_two_hundred_at_once(a: Node, b: Node) -> None:
    from pytest_netconform.kernel.probing.driving import drive
    from pytest_netconform.probes.http import http

    ports = [b.listen(0, "http", body=b"ok").port for _ in range(50)]
    outcomes = drive(http(a.namespaces, V4, port, timeout_s=30) for port in ports * 4)
    assert [outcome.body for outcome in outcomes] == [b"ok"] * 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "sctp"}, "b: listen sctp port 0: expected a kind of tcp, udp, http, https"),
        ({"port": 65536}, "expected a port of 0 to 65535"),
        ({"address": "192.0.2.1"}, "Cannot assign requested address"),
        ({"address": "here"}, "not an IP address"),
        ({"address": "fe80::1"}, "fe80::1 is of one link: expected fe80::1%DEVICE"),
        ({"address": "fe80::1%nothing"}, "No such device"),
        ({"port": "80"}, "expected a port of 0 to 65535"),
        ({"kind": "http", "body": 5}, "expected a body of bytes or text, not int"),
        ({"kind": "https", "certificate": "/nowhere.pem"}, "No such file"),
        ({"kind": "https", "certificate": b"nonsense"}, "a certificate and its key were expected"),
    ],
)
def test_what_cannot_be_listened_to_is_told(
    b: Node, options: dict[str, object], words: str, descriptors: Callable[[], int]
) -> None:
    before = descriptors()
    with pytest.raises(BuildError, match=words):
        b.listen(**options)
    assert descriptors() == before


def test_a_port_is_taken_once(b: Node) -> None:
    b.listen(80)
    with pytest.raises(BuildError, match="b: listen tcp port 80: Address already in use"):
        b.listen(80)


def test_one_address_is_listened_at_alone(a: Node, b: Node) -> None:
    b.run("ip addr add 10.0.0.77/32 dev lo")
    a.run("ip route add 10.0.0.77 via 10.0.0.2")
    b.listen(80, address="10.0.0.77")
    assert a.tcp("10.0.0.77", 80).replied
    assert a.tcp(V4, 80).refused


def test_who_does_not_come_is_awaited_in_vain(b: Node) -> None:
    with pytest.raises(ProbeError, match="b port 80: expected 1 connections within"):
        b.listen(80).await_connections(timeout_s=0.05)


def test_without_openssl_a_certificate_is_told_to_be_missing(
    b: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from pytest_netconform.probes import certificates

    certificates.authority.cache_clear()
    monkeypatch.setattr(certificates, "environment", lambda _: {"PATH": str(tmp_path)})
    with pytest.raises(BuildError, match="takes the program openssl"):
        b.listen(443, "https")


def test_a_command_that_nobody_answers_still_ends(a: Node, b: Node) -> None:
    b.run("iptables -A INPUT -p tcp -j DROP")
    b.listen(80)
    with pytest.raises(CommandFailed, match="killed, for it did not end"):
        a.run(
            [sys.executable, "-c", "import socket; socket.create_connection(('10.0.0.2', 80))"], timeout_s=0.5
        )
