"""Captures: the packets that passed the devices of a namespace while a test ran."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from pytest_netconform.errors import BuildError
from pytest_netconform.facts.packets import Packet
from pytest_netconform.kernel.capturing.filters import compiled
from pytest_netconform.kernel.capturing.ring import (
    ARPHRD_LOOPBACK,
    LINKTYPES,
    PACKET_OUTGOING,
    Frame,
    Ring,
    hatype_of,
    ifindexes,
)
from pytest_netconform.kernel.processes.commands import environment
from pytest_netconform.kernel.rtnetlink import Dev
from pytest_netconform.nodes.namespaces import Netns
from pytest_netconform.nodes.pcapng import pcapng

TO = ("unicast", "broadcast", "multicast", "other", "unicast")
PACKETS, SNAPLEN, LONGEST, LARGEST = 2048, 1952, 1 << 18, 1 << 28
"""By default 4 MiB for each capture, and whole packets where the MTU is 1500."""


class Capture:
    """The packets that pass a device, from the start of its context to the end; they stay readable after it.

    Shape:  *dev* None means every device of the namespace; *filter* is an expression of tcpdump's.
    Units:  *packets* is how many it has room for, *snaplen* the bytes that it keeps of each.
    Raises: BuildError for a device that is not there, and a filter that tcpdump does not understand; and if
            it is asked for packets before its context begins, or cannot have seen them all.
    Needs:  CAP_NET_RAW; tcpdump for a filter.
    """

    def __init__(
        self,
        netns: Netns,
        dev: str | Dev | None = None,
        filter: str | None = None,
        *,
        packets: int = PACKETS,
        snaplen: int = SNAPLEN,
    ) -> None:
        if packets < 1 or not 64 <= snaplen <= LONGEST or packets * snaplen > LARGEST:
            raise BuildError(
                f"{netns.name}: a capture of {packets} packets, {snaplen} bytes of each: expected at least "
                f"one packet, 64 to {LONGEST} bytes of it, and no more than {LARGEST >> 20} MiB in all"
            )
        ifname = dev if dev is None or isinstance(dev, str) else netns.resolve_dev(dev).ifname
        self.netns, self.dev, self.filter = netns, None if ifname == "any" else ifname, filter
        self.snaplen = snaplen
        self._most = packets
        self._ring: Ring | None = None
        self._packets: list[Packet] = []
        self._dropped = self._strange = 0
        self._blind = False
        self._devices: dict[int, str] = {}
        self._linktypes: dict[str, int] = {}

    def __enter__(self) -> Capture:
        if self._ring is not None or self._devices:
            raise BuildError(f"{self!r} was started before: make another one")
        found = ifindexes(self.netns.namespaces)
        if self.dev is not None and self.dev not in found:
            raise BuildError(f"{self.netns.name} has no device {self.dev!r}, but {', '.join(found)}")
        chosen = {self.dev: found[self.dev]} if self.dev is not None else found
        linktypes = {name: LINKTYPES[hatype_of(self.netns.namespaces, name)] for name in chosen}
        program = compiled(self.netns.namespaces, self.dev, self.filter, linktypes) if self.filter else ()
        self._ring = Ring(
            self.netns.namespaces,
            chosen[self.dev] if self.dev is not None else 0,
            program,
            packets=self._most,
            snaplen=self.snaplen,
        )
        for name, index in chosen.items():
            self._devices[index] = f"{self.netns.name}/{name}"
            self._linktypes[self._devices[index]] = linktypes[name]
        return self

    def __exit__(self, *_: object) -> None:
        ring = self._ring
        if ring is not None:
            try:
                self._read(ring)
            finally:
                self._ring = None
                ring.close()

    def __repr__(self) -> str:
        if not self._devices:
            return f"<capture {self._words()}: never started>"
        return f"<capture {self._words()}: {', '.join([f'{len(self.kept)} packets', *self.unseen()])}>"

    def __str__(self) -> str:
        """Say each packet in a line, and what was not seen."""
        return "\n".join([*(str(packet) for packet in self.kept), *self.unseen()])

    @property
    def packets(self) -> tuple[Packet, ...]:
        """Give the packets so far, if these are all; the context may still be open.

        Raises: BuildError if some were dropped, or the device is gone: `kept` are those that there are.
        """
        kept = self.kept
        if unseen := self.unseen():
            raise BuildError(
                f"capture {self._words()}: it has {len(kept)} packets, and these are not all: "
                f"{', '.join(unseen)}; give it more room (packets=, filter=), or read `kept`"
            )
        return kept

    @property
    def kept(self) -> tuple[Packet, ...]:
        """Give the packets so far, though others may have passed."""
        self._look()
        return tuple(self._packets)

    @property
    def dropped(self) -> int:
        """Count the packets that came and are not here: there was no room for more than *packets*."""
        self._look()
        return self._dropped + self._strange

    def unseen(self) -> list[str]:
        """Tell why the packets that it has may not be all."""
        dropped = [f"{self.dropped} packets dropped"] if self.dropped else []
        return dropped + ([f"{self.dev} was deleted, or moved away, meanwhile"] if self._blind else [])

    @property
    def interfaces(self) -> dict[str, tuple[int, int]]:
        """Give link type and snapshot length of each `node/dev`."""
        self._look()
        return {name: (linktype, self.snaplen) for name, linktype in self._linktypes.items()}

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write a pcapng file, for tcpdump, tshark or Wireshark."""
        return write(path, self)

    def text(self, *options: str) -> str:
        """Say the packets as tcpdump does.

        Shape:  *options* are tcpdump's, such as "-v", "-e" or an expression.
        Raises: BuildError where tcpdump is not installed, or refuses.
        """
        return tcpdump([self], options)

    def _words(self) -> str:
        return " ".join([self.netns.name, self.dev or "any", *([repr(self.filter)] if self.filter else [])])

    def _look(self) -> None:
        if not self._devices:
            raise BuildError(
                f"capture {self._words()}: it was never started: `with ... as capture:` does that"
            )
        if self._ring is not None:
            self._read(self._ring)

    def _read(self, ring: Ring) -> None:
        self._packets += [packet for frame in ring.read() if (packet := self._packet(ring, frame))]
        self._dropped, self._blind = ring.count_drops(), ring.is_blind()

    def _packet(self, ring: Ring, frame: Frame) -> Packet | None:
        outgoing = frame.pkttype == PACKET_OUTGOING
        if outgoing and frame.hatype == ARPHRD_LOOPBACK:
            return None  # what lo sends it also receives
        if frame.hatype not in LINKTYPES:
            self._strange += 1  # of a device that came later, whose packets no reader would know
            return None
        if frame.ifindex not in self._devices:
            self._devices[frame.ifindex] = f"{self.netns.name}/{ring.device(frame.ifindex)}"
        dev, linktype = self._devices[frame.ifindex], LINKTYPES[frame.hatype]
        self._linktypes.setdefault(dev, linktype)
        to = TO[frame.pkttype] if frame.pkttype < len(TO) else "other"
        return Packet(frame.time_ns, dev, "out" if outgoing else "in", to, frame.length, frame.data, linktype)


def merged(captures: Iterable[Capture]) -> tuple[Packet, ...]:
    """Give the packets of several captures in the order of time.

    Raises: BuildError if one of them cannot have seen all.
    """
    return _in_order(each.packets for each in captures)


def _in_order(packets: Iterable[tuple[Packet, ...]]) -> tuple[Packet, ...]:
    return tuple(sorted(chain.from_iterable(packets), key=lambda packet: packet.time_ns))


def write(path: str | os.PathLike[str], *captures: Capture) -> Path:
    """Write several captures as one pcapng file, in the order of time, each `node/dev` an interface of it."""
    written = Path(path)
    written.write_bytes(_pcapng(captures))
    return written


def tcpdump(captures: Sequence[Capture], options: Sequence[str] = ()) -> str:
    """Have tcpdump say the packets of captures.

    Raises: BuildError where tcpdump is not installed, or refuses.
    """
    command = ["tcpdump", "-n", "-r", "-", *options]
    try:
        done = subprocess.run(command, input=_pcapng(captures), capture_output=True, env=environment(None))
    except FileNotFoundError as error:
        raise BuildError("tcpdump is not installed, and only it says packets as it does") from error
    if done.returncode:
        raise BuildError(f"`{' '.join(command)}`: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


def _pcapng(captures: Sequence[Capture]) -> bytes:
    packets = _in_order(each.kept for each in captures)
    interfaces: dict[str, tuple[int, int]] = {}
    for each in captures:
        for name, (linktype, snaplen) in each.interfaces.items():
            interfaces[name] = (linktype, max(snaplen, interfaces.get(name, (0, 0))[1]))
    names = [f"{each.netns.name}/{each.dev or 'any'}" for each in captures]
    dropped = {name: each.dropped for name, each in zip(names, captures, strict=True)}
    told = [f"{name}: {why}" for name, each in zip(names, captures, strict=True) for why in each.unseen()]
    return pcapng(packets, interfaces, dropped, told)
