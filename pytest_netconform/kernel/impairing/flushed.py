"""What the kernel throws away with a device that goes down or gets too small, and how it is put back.

Setting a veth down flushes its routes of all tables, its IPv6 addresses, its permanent neighbours and its
nexthops; an MTU below 1280 takes all of IPv6 with it, sysctls included. None of that comes back by itself. So
the namespace's tables are read before and after such a deed; what is missing then was flushed by it, and is
put back from the messages in which the kernel had listed it, as `ip route save` and `restore` do.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.impairing.ends import End
from pytest_netconform.kernel.impairing.listed import KINDS, Entry, listed, v6_address
from pytest_netconform.kernel.rtsocket import PATIENCE_S

RTNLGRP_IPV6_ROUTE = 11
SYSCTLS = ("net/ipv6/conf", "net/ipv6/neigh")
ROOT = Path("/proc/sys")
Table = dict[Entry, Entry]


@dataclass
class Flushed:
    """What one namespace had before the first deed, and what it has lost since.

    Shape: *made* is what came of the deeds, and is no loss when it goes; *held* are the devices that are on
           purpose still otherwise than they were: (ifindex, "mtu" or "up").
    """

    known: Table
    lost: Table = field(default_factory=dict)
    made: Table = field(default_factory=dict)
    sysctls: dict[str, str] = field(default_factory=dict)
    held: list[tuple[int, str]] = field(default_factory=list)

    def spoil(self, end: End, deed: Callable[[], object]) -> Table:
        """Do what makes the kernel forget, and remember what it forgot; give what came of it."""
        sysctls, before = end.namespaces.call(_sysctls), listed(end.netlink)
        try:
            deed()
        finally:
            after, now = listed(end.netlink), end.namespaces.call(_sysctls)
            self.lost |= {entry: entry for entry in before if entry not in after and entry not in self.made}
            new = {entry: entry for entry in after if entry not in before and entry not in self.lost}
            self.made |= new
            changed = {path: value for path, value in sysctls.items() if now.get(path) != value}
            self.sysctls = {**changed, **self.sysctls}
        return new

    def mend(self, end: End, deed: Callable[[], object]) -> None:
        """Undo a deed, put back what is missing, and take away what came of it and had not been there.

        Raises: BuildError for what the kernel refuses, unless another deed stands in its way still.
        """
        new = self.spoil(end, deed)
        refused = self._put_back(end, "link")
        refused += end.namespaces.call(self._write_sysctls)
        self._remove(end, new)
        for kind in KINDS:
            refused += self._put_back(end, kind)
            if kind == "addr":
                self._await_addresses(end)
        if refused and not self.held:
            more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
            raise BuildError(f"{end.name}: not as before {end.ifname} was impaired: {refused[0]}{more}")

    def _write_sysctls(self) -> list[str]:
        refused = []
        for path, value in list(self.sysctls.items()):
            try:
                if _read(ROOT / path) != value:
                    (ROOT / path).write_text(value)
                del self.sysctls[path]
            except OSError as error:
                refused.append(f"sysctl {path} = {value.strip()}: {error.strerror}")
        return refused

    def _remove(self, end: End, new: Table) -> None:
        """Delete what came by itself with the device where somebody had none, or another."""
        cores, now = {entry.core for entry in self.lost}, listed(end.netlink)
        for kind in ("addr", "route"):
            wrong = [
                entry
                for entry in new
                if entry.kind == kind and entry in now and entry not in self.known
                and (entry.by_kernel or entry.core in cores)
            ]  # fmt: skip
            for refusal in end.netlink.execute([entry.deletion() for entry in wrong]):
                if refusal.errno not in (errno.ESRCH, errno.EADDRNOTAVAIL):
                    raise BuildError(f"{end.name}: {wrong[refusal.position]}: not removed: {refusal}")

    def _put_back(self, end: End, kind: str) -> list[str]:
        """Carry out what is missing of one kind; again, as long as that makes more possible."""
        now = listed(end.netlink)
        missing = [entry for entry in self.lost if entry.kind == kind and entry not in now]
        if kind == "addr":
            missing.reverse()  # as the kernel lists the newest first, of IPv6 ones
        missing = [entry for entry in missing if not self._is_held(entry) and entry.own_address is None]
        places = {entry.place for entry in self.made if entry in now and entry.kind == "route"} - {b""}
        refused: list[str] = []
        while missing:
            answers = end.netlink.execute([entry.request(replace=entry.place in places) for entry in missing])
            answers = [answer for answer in answers if answer.errno != errno.EEXIST]
            refused = [f"{missing[answer.position]}: {answer}" for answer in answers]
            left = [missing[answer.position] for answer in answers]
            if len(left) == len(missing):
                break
            missing = left
        done = [entry for entry in self.lost if entry.kind == kind and entry not in missing]
        for entry in done:
            if not self._is_held(entry):
                del self.lost[entry]
        return refused

    def _is_held(self, entry: Entry) -> bool:
        """Ask whether the device of this entry is on purpose still in the way."""
        return entry.setting in self.held or (entry.ifindex, "up") in self.held

    def _await_addresses(self, end: End) -> None:
        """Wait until addresses are usable, and their own routes there, which nobody can put back."""
        if not end.state().operational:
            return
        wanted = [address for entry in listed(end.netlink) if (address := v6_address(entry, end.ifindex))]
        end.rtnetlink.await_addresses(end, wanted)
        packed = {address.packed for address in wanted}
        own = [entry for entry in self.lost if entry.own_address in packed]
        deadline = time.monotonic() + PATIENCE_S
        with end.netlink.listening((RTNLGRP_IPV6_ROUTE,)):
            while missing := [entry for entry in own if entry not in listed(end.netlink)]:
                if not end.netlink.notice(deadline):
                    raise BuildError(f"{end}: not as before it was impaired: {missing[0]} did not come back")


def _sysctls() -> dict[str, str]:
    return {str(path.relative_to(ROOT)): value for path, value in _values()}


def _values() -> Iterator[tuple[Path, str]]:
    for above in SYSCTLS:
        for path in (ROOT / above).glob("*/*"):
            if (value := _read(path)) is not None:
                yield path, value


def _read(path: Path) -> str | None:
    """Read a value; None where there is none to be had, such as a secret that was never set."""
    try:
        return path.read_text()
    except OSError:
        return None


def flushed(end: End) -> Flushed:
    """Begin with what there is."""
    return Flushed(listed(end.netlink))
