"""A user namespace for the whole run, in which an ordinary user may make the other namespaces."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel import syscalls
from pytest_netconform.kernel.making import mounts
from pytest_netconform.kernel.syscalls import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS

CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21
NEEDED = 1 << CAP_NET_ADMIN | 1 << CAP_SYS_ADMIN
FORBIDDEN_BY = {
    "/proc/sys/kernel/unprivileged_userns_clone": "0",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
    "/proc/sys/user/max_user_namespaces": "0",
}
"""Files, each with the value by which ordinary users get no user namespace, or none of any use."""
XTABLES_LOCKFILE = "/proc/self/ns/net"
"""What iptables-legacy locks instead of a file in root's /run: the network namespace that it changes."""
WITHOUT_ROOT = (
    "run as root, or set netconform_userns = true (--netconform-userns; without pytest: enter_userns())"
)


class Userns:
    """What became of the wish for a user namespace, in this process."""

    entered = False
    refusal = ""
    lacks: tuple[str, ...] = ()


def may_make() -> bool:
    """Ask whether we hold the capabilities that namespaces and devices need."""
    return syscalls.capabilities() & NEEDED == NEEDED


def why_not() -> str:
    """Say what keeps us from making namespaces, and what to do; nothing if we may."""
    if may_make():
        return ""
    lacking = "needs CAP_SYS_ADMIN and CAP_NET_ADMIN, for namespaces"
    if Userns.refusal:
        return f"{lacking}: run as root, since netconform_userns cannot: {Userns.refusal}"
    return f"{lacking}: {WITHOUT_ROOT}"


def told() -> str:
    """Say what became of the wish, for the head of a report."""
    if Userns.refusal:
        return f"no user namespace: {Userns.refusal}"
    if not Userns.entered:
        return "no user namespace, for none is needed"
    lacks = f"; what is not to be had in it: {', '.join(Userns.lacks)}" if Userns.lacks else ""
    return f"in a user namespace, as uid {os.geteuid()}{lacks}"


def enter() -> None:
    """Move this process into a user namespace of its own, for good, unless it may make namespaces already.

    It keeps its identity. It and what it starts have all capabilities over the namespaces that they make and
    over its own files; setuid programs, such as sudo, give no rights any more.

    Raises: BuildError with the reason why not; nothing has changed then.
    Needs:  that no thread runs besides the calling one.
    """
    if may_make():
        return
    try:
        _check_threads()
        Userns.lacks = _tried()
        _enter()
    except OSError as error:
        Userns.refusal = _told(error)
        raise BuildError(f"user namespace: {Userns.refusal}") from error
    Userns.entered, Userns.refusal = True, ""


def enter_if_possible() -> None:
    """Enter, or note why not; does not try twice."""
    if not Userns.refusal:
        with suppress(BuildError):
            enter()


def _enter() -> None:
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    mounts.write("/proc/self/setgroups", "deny")
    mounts.write("/proc/self/uid_map", f"{uid} {uid} 1")
    mounts.write("/proc/self/gid_map", f"{gid} {gid} 1")
    syscalls.hand_on(syscalls.capabilities())
    os.environ.setdefault("XTABLES_LOCKFILE", XTABLES_LOCKFILE)


def _check_threads() -> None:
    if (number := len(os.listdir("/proc/self/task"))) > 1:  # noqa: PTH208
        raise OSError(
            errno.EINVAL, f"{number} threads run already, and it must be entered before a second starts"
        )


def _tried() -> tuple[str, ...]:
    """Try it in a child, since there is no way back; say what is not to be had inside."""
    inner, outer = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            os.write(outer, _attempt().encode())
        finally:
            os._exit(0)
    os.close(outer)
    with open(inner) as pipe:  # noqa: PTH123
        number, _, text = pipe.read().partition(" ")
    status = os.waitpid(pid, 0)[1]
    if not number:
        raise OSError(errno.EPERM, f"a trial was ended, with wait status {status:#x}")
    if int(number):
        raise OSError(int(number), text)
    return tuple(text.split(", ")) if text else ()


def _attempt() -> str:
    """Enter and make what a node needs; give an errno with words, or 0 with what was refused."""
    try:
        _enter()
        syscalls.unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID)
        return f"0 {', '.join(mounts.refused())}"
    except OSError as error:
        return f"{error.errno} {syscalls.words(error)}"


def _told(error: OSError) -> str:
    """Say why, with what in the system is known to forbid it."""
    causes = [_sysctl(path) for path, value in FORBIDDEN_BY.items() if _content(path) == value]
    if "\nSeccomp:\t2\n" in Path("/proc/self/status").read_text():
        causes.append("a seccomp filter is on, as in a container, and may forbid it")
    return "; ".join([syscalls.words(error), *causes])


def _content(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _sysctl(path: str) -> str:
    return f"{path.removeprefix('/proc/sys/').replace('/', '.')} is {_content(path)}"
