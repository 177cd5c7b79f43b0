"""Make fresh namespaces, each like a machine that was just started with the kernel's own defaults."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel import syscalls
from pytest_netconform.kernel.descriptors import opened
from pytest_netconform.kernel.making import mounts, userns
from pytest_netconform.kernel.namespaces import Namespaces
from pytest_netconform.kernel.threads import enter, in_a_thread

SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
CONF = "/proc/sys/net/ipv4/conf"
DEFAULTS = {
    **dict.fromkeys(("accept_redirects", "send_redirects", "secure_redirects", "shared_media"), "1"),
    **dict.fromkeys(
        ("rp_filter", "forwarding", "proxy_arp", "route_localnet", "accept_local", "log_martians"), "0"
    ),
    **dict.fromkeys(("arp_ignore", "arp_announce", "arp_filter", "arp_notify", "arp_accept"), "0"),
    **dict.fromkeys(("promote_secondaries", "src_valid_mark", "disable_policy", "disable_xfrm"), "0"),
}
"""What Linux starts with. A new namespace inherits these from the host, where others set them."""

ON_PURPOSE = {
    "/proc/sys/net/ipv6/conf/default/accept_dad": "0",
    "/proc/sys/net/ipv4/icmp_ratemask": "0",
    "/proc/sys/net/ipv6/icmp/ratelimit": "0",
}
"""Where we differ from Linux: no search for duplicate addresses, which keeps a new one from use for a second
or two, and no limit on ICMP errors, which makes the seventh of a series look like a loss.
"""


def make_netns(names: Iterable[str]) -> list[Namespaces]:
    """Make a network namespace for each name, in one thread; lo is up.

    Needs: CAP_SYS_ADMIN, CAP_NET_ADMIN.
    """
    wanted = list(names)
    with _counted(len(wanted), 1):
        return _all_or_none(lambda made: in_a_thread(lambda: made.extend(map(_netns, wanted))))


def make_nodes(names: Iterable[str]) -> list[Namespaces]:
    """Make network, mount and UTS namespaces for each name, furnished as a machine called so; lo is up.

    Needs: CAP_SYS_ADMIN, CAP_NET_ADMIN.
    """

    wanted = list(names)
    if wanted and mounts.is_chroot():
        raise BuildError(
            f"{wanted[0]}: nodes cannot be made in a chroot, for who enters one would leave it, and write "
            "the files of the host: use a container, or pivot_root(8)"
        )

    def make_each(made: list[Namespaces]) -> None:
        for name in wanted:  # in a thread of its own each, for a node is furnished from the host's mounts
            in_a_thread(lambda name=name: made.append(_node(name)))  # type: ignore[misc]

    with _counted(len(wanted), 3):
        return _all_or_none(make_each)


def _all_or_none(make: Callable[[list[Namespaces]], None]) -> list[Namespaces]:
    """Have namespaces made, which end up in a list; close those there are should it fail."""
    made: list[Namespaces] = []
    try:
        make(made)
    except BaseException:
        for namespaces in made:
            namespaces.close()
        raise
    return made


def _netns(name: str) -> Namespaces:
    _unshare(name, syscalls.CLONE_NEWNET)
    with _told(name):
        _start()
    return _opened(name, "net")


def _node(name: str) -> Namespaces:
    if not syscalls.in_first_userns():
        with _told(name):
            enter([(_model(), syscalls.CLONE_NEWNS)])
    _unshare(name, syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS)
    try:
        socket.sethostname(name)
        _start()
        mounts.furnish(name)
    except OSError as error:
        raise BuildError(f"{name}: {syscalls.words(error)}") from error
    return _opened(name, "net", "mnt", "uts")


@cache
def _model() -> int:
    """Make, once, the mount namespace that nodes are made from in a user namespace; it lasts as we do."""
    return in_a_thread(mounts.model)


def _opened(name: str, *kinds: str) -> Namespaces:
    """Hold the calling thread's namespaces by descriptors."""
    try:
        owners = {kind: opened(f"/proc/thread-self/ns/{kind}") for kind in kinds}
        return Namespaces(name, mortal=True, **owners)
    except OSError as error:
        raise BuildError(f"{name}: {syscalls.words(error)}") from error


def _unshare(name: str, flags: int) -> None:
    with _told(name):
        syscalls.unshare(flags)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Have an error say what was to be made, and what to do."""
    try:
        yield
    except PermissionError as error:
        raise BuildError(f"{name}: {syscalls.words(error)}; {userns.WITHOUT_ROOT}") from error
    except OSError as error:
        raise BuildError(f"{name}: {syscalls.words(error)}") from error


@contextmanager
def _counted(n: int, each: int) -> Iterator[None]:
    """Have an error of no more descriptors say how many would be needed."""
    try:
        yield
    except BuildError as error:
        if isinstance(cause := error.__cause__, OSError) and cause.errno == errno.EMFILE:
            raise BuildError(
                f"{error}; {n} such namespaces take {n * each}, beside those that are open"
            ) from cause
        raise


def _start() -> None:
    """Bring the calling thread's fresh network namespace to the state of a machine that was just started."""
    for path, value in first_settings():
        _set(path, value)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def _set(path: str, value: str) -> None:
    try:
        mounts.write(path, value)
    except OSError as error:
        if error.errno != errno.EROFS or syscalls.in_first_userns():
            raise  # else a container's, which an ordinary user has to live with


@cache
def first_settings() -> tuple[tuple[str, str], ...]:
    """List what a fresh network namespace, such as the calling thread's, must be told at its start."""
    found = []
    for scope in ("all", "default"):
        for key, value in DEFAULTS.items():
            path = f"{CONF}/{scope}/{key}"
            if os.path.exists(path) and _read(path) != value:  # noqa: PTH110
                found.append((path, value))
    return (*found, *((path, value) for path, value in ON_PURPOSE.items() if os.path.exists(path)))  # noqa: PTH110


def _read(path: str) -> str:
    with open(path) as file:  # noqa: PTH123
        return file.read().strip()
