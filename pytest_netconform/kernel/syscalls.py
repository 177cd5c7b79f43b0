"""The system calls that Python 3.11 has no words for."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
from collections.abc import Iterable

CLONE_FS = 0x0000_0200
CLONE_NEWNS = 0x0002_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000
FLAGS = {
    CLONE_FS: "CLONE_FS",
    CLONE_NEWNS: "CLONE_NEWNS",
    CLONE_NEWUTS: "CLONE_NEWUTS",
    CLONE_NEWUSER: "CLONE_NEWUSER",
    CLONE_NEWPID: "CLONE_NEWPID",
    CLONE_NEWNET: "CLONE_NEWNET",
}
WORDS = {CLONE_NEWNS: "mount", CLONE_NEWUTS: "UTS", CLONE_NEWPID: "PID", CLONE_NEWNET: "network"}

FIRST_USERNS = 0xEFFF_FFFD
"""The inode of the user namespace that the kernel starts with (PROC_USER_INIT_INO)."""
CAPABILITY_VERSION_3 = 0x2008_0522
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x4_0000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.unshare.argtypes = [ctypes.c_int]
_libc.setns.argtypes = [ctypes.c_int, ctypes.c_int]
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_libc.capset.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]


def unshare(flags: int) -> None:
    """Give the calling thread namespaces (or a working directory) of its own."""
    _check(_libc.unshare(flags), f"unshare({_words(flags)})")


def setns(fd: int, kind: int) -> None:
    """Move the calling thread into the namespace that *fd* stands for, which must be of this kind."""
    _check(_libc.setns(fd, kind), f"setns({_words(kind)})")


def mount(source: str, target: str, fstype: str, flags: int = 0, options: str = "") -> None:
    """Mount a file system in the mount namespace of the calling thread."""
    words = (os.fsencode(source), os.fsencode(target), os.fsencode(fstype))
    _check(_libc.mount(*words, flags, options.encode()), f"mount({fstype or source}, {target})")


def bind(source: str, target: str, *, recursive: bool = False) -> None:
    """Show the tree at *source* at *target* too."""
    mount(source, target, "", MS_BIND | (MS_REC if recursive else 0))


def make_read_only(target: str) -> None:
    """Make one mount read-only, and none beneath it."""
    mount("", target, "", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)


def in_first_userns() -> bool:
    """Ask whether we are in the user namespace that the kernel starts with, whose root owns the machine."""
    try:
        return os.stat("/proc/self/ns/user").st_ino == FIRST_USERNS  # noqa: PTH116
    except FileNotFoundError:  # a kernel without user namespaces
        return True


def capabilities() -> int:
    """Give the effective capabilities of the calling thread, as a bit mask."""
    with open("/proc/thread-self/status") as status:  # noqa: PTH123
        return int(status.read().partition("CapEff:")[2].split()[0], 16)


def hand_on(held: int) -> None:
    """Have the programs that the calling thread runs keep these of its capabilities, whoever owns them."""
    mask = struct.pack("=6I", *[held & 0xFFFF_FFFF] * 3, *[held >> 32] * 3)
    _check(_libc.capset(struct.pack("=Ii", CAPABILITY_VERSION_3, 0), mask), "capset")
    for number in _numbers(held):
        result = _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0)
        _check(result, f"prctl(PR_CAP_AMBIENT_RAISE, {number})")


def words(error: OSError) -> str:
    """Say what the kernel said, and of what, without Python's number."""
    said = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    if error.errno != errno.EMFILE:
        return said
    return f"{said}: the limit is {resource.getrlimit(resource.RLIMIT_NOFILE)[0]} descriptors, see ulimit -n"


def _check(result: int, call: str) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def _numbers(mask: int) -> Iterable[int]:
    return (number for number in range(mask.bit_length()) if mask >> number & 1)


def _words(flags: int) -> str:
    return "|".join(name for flag, name in FLAGS.items() if flags & flag)
