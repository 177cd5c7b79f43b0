"""Filters of captures: expressions of tcpdump's, compiled by it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_netconform.errors import BuildError, CommandFailed
from pytest_netconform.kernel.namespaces import Namespaces

COMPILING_S = 10.0
ETHERNET = 1


def compiled(
    namespaces: Namespaces, dev: str | None, expression: str, linktypes: Mapping[str, int]
) -> tuple[tuple[int, int, int, int], ...]:
    """Compile an expression into classic BPF, for a device or for all those of Ethernet.

    Shape:  each instruction as code, jt, jf, k.
    Raises: BuildError with tcpdump's own words.
    Source: tcpdump(8), -ddd. With the device at hand it knows that the kernel keeps VLAN tags apart.
    """
    where = f"{namespaces.name}: capture"
    if dev is None and (other := [name for name, linktype in linktypes.items() if linktype != ETHERNET]):
        raise BuildError(
            f"{where} on all devices: no one filter fits both Ethernet and {', '.join(other)}; "
            "name the device, or leave the filter out"
        )
    on = ["-i", dev, "-p"] if dev is not None else ["-y", "EN10MB"]
    try:
        command = ["tcpdump", "-ddd", *on, "--", expression]
        printed = namespaces.run(command, timeout_s=COMPILING_S, env={"LC_ALL": "C"}).stdout
    except CommandFailed as failed:
        if failed.returncode == 127:
            raise BuildError(f"{where}: a filter needs tcpdump, which is not installed") from None
        said = " ".join(failed.stderr.split()) or f"tcpdump exited with {failed.returncode}"
        raise BuildError(f"{where}: filter {expression!r}: {said}") from None
    rows = [tuple(map(int, line.split())) for line in printed.splitlines() if re.fullmatch(r"[\d ]+", line)]
    if not rows or len(rows) != rows[0][0] + 1 or any(len(row) != 4 for row in rows[1:]):
        raise BuildError(f"{where}: filter {expression!r}: tcpdump printed no program, but {printed[:80]!r}")
    return tuple((row[0], row[1], row[2], row[3]) for row in rows[1:])
