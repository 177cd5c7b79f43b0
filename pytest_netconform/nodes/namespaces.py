"""Namespaces and nodes as a test holds them: run in them, read their facts, probe from them."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_netconform.documents import suggest
from pytest_netconform.errors import BuildError, ProbeError
from pytest_netconform.facts.addrs import Addr, parse_addrs
from pytest_netconform.facts.fdb import Fdb, parse_fdb
from pytest_netconform.facts.links import Link, parse_links
from pytest_netconform.facts.neighs import Neigh, parse_neighs
from pytest_netconform.facts.routes import Route, parse_routes
from pytest_netconform.facts.rules import Rule, parse_rules
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.observing.evidence import LiveEvidence
from pytest_netconform.kernel.processes.commands import Command, Running
from pytest_netconform.kernel.rtnetlink import Dev, Interface
from pytest_netconform.kernel.rtsocket import Rtnetlink
from pytest_netconform.kernel.sysctls import Sysctls
from pytest_netconform.nodes import daemons
from pytest_netconform.nodes.probing import Probing
from pytest_netconform.nodes.routing import Configurable

if TYPE_CHECKING:
    from pytest_netconform.nodes.capture import Capture
    from pytest_netconform.probes.listening import Listener

T = TypeVar("T")

OF_READER = (
    "/proc/net",
    *(f"/proc/{reader}{part}" for reader in ("self", "thread-self") for part in ("/net", "")),
)
"""What in /proc is of the process that looks."""


class Links:
    """The network devices of one namespace, in the order of their ifindex, and by name."""

    def __init__(self, where: str, links: tuple[Link, ...]) -> None:
        self._where, self._links = where, links

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links)

    def __len__(self) -> int:
        return len(self._links)

    def __contains__(self, ifname: object) -> bool:
        return any(link.ifname == ifname for link in self._links)

    def __getitem__(self, ifname: str) -> Link:
        for link in self._links:
            if link.ifname == ifname:
                return link
        raise KeyError(
            f"{self._where} has no link {ifname!r}, but {', '.join(link.ifname for link in self._links)}"
        )

    def __repr__(self) -> str:
        return f"<links of {self._where}: {', '.join(link.ifname for link in self._links)}>"


class Netns(Probing, Configurable):
    """A network namespace of a net; commands in it see the host's files."""

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces
        self.name = namespaces.name
        self.sysctl = Sysctls(namespaces)
        self._evidence = LiveEvidence(namespaces)
        self._listeners: list[Listener] = []
        self.daemons: list[daemons.Daemon] = []
        self.forgotten: dict[object, str] = {}
        self._opening = threading.Lock()
        self._rtnetlink: Rtnetlink | None = None
        self._siblings: Mapping[str, Netns] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} {self.name}>"

    def run(
        self,
        command: Command,
        *,
        check: bool = True,
        input: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> CompletedProcess[str]:
        """Run a command inside and wait for it; a string goes to sh, a list does not.

        Shape:  *env* adds to our environment.
        Raises: CommandFailed for a non-zero status unless *check* is false; always for a program that is not
                there, and for one that outlives *timeout_s* or writes more than 64 MiB, which is killed.
        """
        return self.namespaces.run(command, check=check, input=input, env=env, timeout_s=timeout_s)

    def popen(self, command: Command, *, env: Mapping[str, str] | None = None, **options: Any) -> Running:
        """Start a command inside; it ends with the namespace at the latest.

        Shape: *options* as of subprocess.Popen; text streams, and an empty stdin, unless they say otherwise.
        """
        return self.namespaces.popen(command, env=env, **options)

    def daemon(
        self,
        command: Command,
        ready: daemons.Ready,
        *,
        timeout_s: float = 5.0,
        env: Mapping[str, str] | None = None,
    ) -> daemons.Daemon:
        """Start a daemon, which stays in the foreground, and wait until it is ready.

        Shape:  *ready* is `tcp/22` or `udp/53`, for a socket that waits there; a Path, for a file that is to
                appear; a compiled expression, for a line of output; or a function, for the first true value.
        Raises: BuildError if it ends, or is not ready in time, with what it said; it is stopped then. And if
                such a socket or file is there already.
        """
        daemon = daemons.start(self.namespaces, command, ready, timeout_s=timeout_s, env=env)
        self.daemons.append(daemon)
        return daemon

    def call(self, fn: Callable[..., T], *args: Any) -> T:
        """Call *fn* in a fresh thread inside; it shares everything else with us."""
        return self.namespaces.call(fn, *args)

    @property
    def rtnetlink(self) -> Rtnetlink:
        """Route netlink of this namespace; a test that only builds needs no other tool.

        Raises: BuildError if the namespace is closed.
        """
        with self._opening:
            if self._rtnetlink is None or not self.namespaces.handles:
                self._rtnetlink = Rtnetlink(self.namespaces)
            return self._rtnetlink

    @property
    def _speaks(self) -> bool:
        """Say whether route netlink is open."""
        return self._rtnetlink is not None

    @property
    def links(self) -> Links:
        return Links(self.name, parse_links(self._text("ip-addr.json")))

    @property
    def addrs(self) -> tuple[Addr, ...]:
        return parse_addrs(self._text("ip-addr.json"))

    @property
    def routes(self) -> tuple[Route, ...]:
        """Read the routes of all tables, IPv4 first."""
        return parse_routes(self._text("ip-route4.json"), "inet") + parse_routes(
            self._text("ip-route6.json"), "inet6"
        )

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Read the routing rules, IPv4 first."""
        return parse_rules(self._text("ip-rule4.json"), "inet") + parse_rules(
            self._text("ip-rule6.json"), "inet6"
        )

    @property
    def neighs(self) -> tuple[Neigh, ...]:
        return parse_neighs(self._text("ip-neigh.json"))

    @property
    def fdb(self) -> tuple[Fdb, ...]:
        return parse_fdb(self._text("bridge-fdb.json"))

    def address(self, towards: Probing | None = None, *, version: int | None = None) -> str:
        """Choose the address for *towards* to reach us at: one on a common subnet, else our first global one.

        Raises: ProbeError if there is none.
        """
        ours = self._global_addresses()
        theirs = towards._global_addresses() if isinstance(towards, Netns) else ()
        common = (
            our.ip for our in ours for their in theirs if our.ip in their.network and their.ip in our.network
        )
        for ip in (*common, *(our.ip for our in ours)):
            if version in (None, ip.version):
                return str(ip)
        kind = f"IPv{version} address" if version else "address"
        raise ProbeError(f"{self.name} has no {kind} to be reached at")

    def addr_to(self, peer: str | Netns, *, version: int | None = None) -> str:
        """Give our address on the network that we share with *peer*, which may be named.

        Raises: BuildError if there is none.
        """
        other = peer if isinstance(peer, Netns) else self._siblings.get(peer)
        if other is None:
            raise BuildError(f"{self.name}: no namespace {peer!r}{suggest(str(peer), self._siblings)}")
        theirs = {address.network for address in other._global_addresses()}
        for our in self._global_addresses():
            if our.network in theirs and version in (None, our.version):
                return str(our.ip)
        kind = f"IPv{version} network" if version else "network"
        raise BuildError(f"{self.name} and {other.name} have no {kind} in common")

    def capture(
        self,
        dev: str | Dev | None = None,
        filter: str | None = None,
        *,
        packets: int = 2048,
        snaplen: int = 1952,
    ) -> Capture:
        """Capture what passes a device, or any of them, from the start of the context to its end.

        Shape:  *filter* is an expression of tcpdump's.
        Units:  *packets* is how many it has room for, *snaplen* the bytes that it keeps of each.
        Raises: BuildError for a device that is not there, and a filter that tcpdump does not understand.
        """
        from pytest_netconform.nodes.capture import Capture

        return Capture(self, dev, filter, packets=packets, snaplen=snaplen)

    def listen(
        self,
        port: int = 0,
        kind: str = "tcp",
        *,
        address: str | None = None,
        body: bytes | str | None = None,
        certificate: str | bytes | os.PathLike[str] | None = None,
    ) -> Listener:
        """Listen inside until the listener or the namespace is closed, and answer from this process.

        Shape:  *kind* is `tcp` or `udp`, which send back what they are sent, or `http` or `https`, which
                answer with *body*, or with what was asked, as JSON; *port* 0 takes a free one; *address* is
                the only one to listen at; *certificate* is a path, or PEM, with a key. By default one is made
                for our name and addresses, and is believed by who believes `listener.ca`.
        Raises: BuildError, and then nothing listens.
        """
        from pytest_netconform.probes.listening import listen

        addresses = self._global_addresses() if kind == "https" else ()
        names = [self.name, "localhost", *(str(interface.ip) for interface in addresses)]
        listener = listen(
            self.namespaces, port, kind, address=address, body=body, certificate=certificate, names=names
        )
        self._listeners.append(listener)
        return listener

    def untold(self) -> list[str]:
        """Tell what a test could not notice: daemons that crashed, contexts that were never entered."""
        return [*daemons.crashed(self.daemons), *self.forgotten.values()]

    def end(self) -> None:
        """Have the kernel end the processes inside, without waiting for it."""
        self.namespaces.end()

    def close(self) -> None:
        """Let go of the namespace; the kernel destroys it with all that is in it.

        Shape: who was interrupted may go on by calling again.
        """
        with ExitStack() as stack:
            stack.callback(self.namespaces.close)
            if self._rtnetlink is not None:
                stack.callback(self._rtnetlink.close)
            for listener in reversed(self._listeners):
                stack.callback(listener.close)

    def _global_addresses(self) -> list[Interface]:
        found = (address for _, address in self.rtnetlink.addresses())
        return [address for address in found if not address.is_loopback and not address.is_link_local]

    def _text(self, file: str) -> str:
        return self._evidence.text(file) or ""


class Node(Netns):
    """A namespace that stands for a machine: its /etc, /run, /var/lib, /var/log and processes are its own."""

    def __init__(self, namespaces: Namespaces) -> None:
        super().__init__(namespaces)
        self._paths: dict[str, Netns] = {}

    def read(self, path: str) -> str:
        """Read a file of the node.

        Raises: BuildError for what in /proc is of the process that reads it, which is none of the node's.
        """
        place = Path(os.path.normpath(path))
        if of_reader := next((each for each in OF_READER if place.is_relative_to(each)), None):
            inside = place.relative_to(of_reader)
            if not of_reader.endswith("net"):
                raise BuildError(f"{self.name}: {path} is of who reads it: say run(['cat', {path!r}])")
            return self.namespaces.call_in_net(Path("/proc/thread-self/net", inside).read_text)
        return self.call(lambda: place.read_text(encoding="utf-8", errors="replace"))

    def netns_path(self, netns: Netns) -> str:
        """Give a path in the node at which another namespace stands, such as a CNI plugin is told.

        It stands where `ip netns` lists it, for as long as the node lives, and is nowhere else.

        Raises: BuildError.
        Needs:  ip, nsenter.
        """
        name = netns.name.replace("/", "-")
        path, (net, _) = f"/run/netns/{name}", netns.namespaces.handles[0]
        if self._paths.setdefault(path, netns) is not netns:
            raise BuildError(f"{self.name}: {path} is {self._paths[path].name} already")
        attach = (
            'mountpoint -q "$2" || exec nsenter --net=/proc/self/fd/$3 sh -c \'ip netns attach "$0" $$\' "$1"'
        )
        process = self.popen(
            ["sh", "-c", attach, "sh", name, path, str(net)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(net,),
        )
        _, words = process.communicate()
        if process.returncode:
            raise BuildError(f"{self.name}: {path}: {words.strip()}")
        return path

    def write(self, path: str, text: str) -> None:
        """Write a file of the node, with the directories above it.

        Raises: BuildError for a path that is the host's.
        """
        self.call(self._write, Path(path), text)

    def _write(self, path: Path, text: str) -> None:
        own = {os.stat(place).st_dev for place in ("/etc", "/run")}  # noqa: PTH116
        above = next(parent for parent in path.resolve().parents if parent.exists())
        if above.stat().st_dev not in own:
            raise BuildError(
                f"{self.name}: {path} is the host's; a node has its own /etc, /run, /var/lib and /var/log"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
