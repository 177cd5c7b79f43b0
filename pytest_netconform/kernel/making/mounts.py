"""What makes a mount namespace a machine: its own /etc, /run, /var/lib and /sys over the host's programs.

Everything a node writes there goes to one tmpfs, which no path of the host leads to.
"""

# ruff: noqa: PTH102, PTH112 - this runs for each node, and a Path costs more than the call

from __future__ import annotations

import os
import stat
from functools import cache

from pytest_netconform.kernel import syscalls
from pytest_netconform.kernel.making import etc
from pytest_netconform.kernel.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID
from pytest_netconform.kernel.threads import enter, in_a_thread

FORWARDING = "/proc/sys/net/ipv4/ip_forward"
OWN = ("/var/lib", "/var/log", "/run")
"""Directories that start empty. /run comes last, for their tmpfs is mounted there while a node is built."""
HIDDEN = ("/usr/lib/sysctl.d", "/usr/local/lib/sysctl.d", "/lib/sysctl.d")
"""Directories of the distribution's own settings, which are the host's, not the node's."""
EMPTY_ETC = ("sysctl.d", "modules-load.d", "modprobe.d", "iptables", "nftables.d")
ABSENT_ETC = (
    *("sysctl.conf", "resolv.conf", "nftables.conf", "network", "netplan", "sysconfig", "NetworkManager"),
    *(
        "systemd/network",
        "systemd/networkd.conf",
        "systemd/networkd.conf.d",
        "firewalld",
        "ufw",
        "ipset.conf",
    ),
    *("cni", "kubernetes", "calico", "flannel", "kube-flannel", "cilium", "weave", "multus", "origin"),
    *("docker", "containers", "containerd", "crio", "rancher", "k0s", "k3s", "microk8s"),
)
"""What marks a host as some system, or configures its network: a node must not look like its host."""


def furnish(hostname: str) -> None:
    """Furnish the calling thread's fresh mount namespace as the machine *hostname*."""
    os.umask(0o022)  # of this thread alone: a new mount namespace comes with that
    syscalls.mount("", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    _own_etc(hostname)
    for number, place in enumerate(_places()):
        os.mkdir(f"/run/{number}")
        syscalls.bind(f"/run/{number}", place)
    if not _own_sysfs():
        _no_sysfs()
    protect_sysctls()


def model() -> int:
    """Make a mount namespace to make nodes from in a user namespace, with an /etc that belongs to us.

    The calling thread stays in it. Gives its descriptor.
    """
    syscalls.unshare(syscalls.CLONE_NEWNS)
    os.umask(0o022)
    syscalls.mount("", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    etc.copy("/etc", "/run", ABSENT_ETC, EMPTY_ETC)
    syscalls.bind("/run", "/etc")
    return os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)


def refused() -> list[str]:
    """List what a node does without here.

    Tries it in the calling process, which has new namespaces of all kinds, and is of no use afterwards.
    """
    syscalls.mount("", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    found = []
    if not may_write(FORWARDING):
        found.append("sysctls that can be written")
    if not _own_sysfs():
        found.append("a /sys of a node's own")
    if (pid := os.fork()) == 0:
        os._exit(not own_proc())
    if os.waitpid(pid, 0)[1]:
        found.append("a /proc of a node's own")
    return found


def may_write(path: str) -> bool:
    """Ask whether a file may be opened for writing, which access() does not tell of capabilities."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def own_proc() -> bool:
    """Show the processes of the calling process's PID namespace in /proc.

    The kernel refuses it in a user namespace where parts of the host's own are covered, as in a container.
    """
    try:
        syscalls.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except PermissionError:
        return False
    return True


@cache
def is_chroot() -> bool:
    """Ask whether our root is another than that of our mount namespace, which all go to who enter one."""
    return in_a_thread(_root_moves)


def _root_moves() -> bool:
    before = _root_mount()
    fd = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter([(fd, syscalls.CLONE_NEWNS)])
    except PermissionError:  # in a user namespace, which the kernel makes in no chroot
        return False
    finally:
        os.close(fd)
    return before != _root_mount()


def _root_mount() -> str:
    """Give the number of the mount that / is; its device and inode are those of every bind of it, too."""
    fd = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        with open(f"/proc/thread-self/fdinfo/{fd}") as info:  # noqa: PTH123
            return next(line for line in info if line.startswith("mnt_id:"))
    finally:
        os.close(fd)


def write(path: str, text: str) -> None:
    """Write a file in one go, as files under /proc/sys want it."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def protect_sysctls() -> None:
    """Make /proc/sys read-only but for net: the rest is the host's. Again after each new mount of /proc."""
    syscalls.bind("/proc/sys/net", "/proc/sys/net")
    syscalls.bind("/proc/sys", "/proc/sys", recursive=True)
    syscalls.make_read_only("/proc/sys")


def _own_sysfs() -> bool:
    """Show the namespace's own devices in /sys; only they can be written, the rest is the host's.

    In a user namespace the kernel refuses one that can be written where the host's cannot, and any where
    parts of the host's are covered, as in a container.
    """
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    try:
        syscalls.mount("sysfs", "/sys", "sysfs", flags)
    except PermissionError:
        if syscalls.in_first_userns():
            raise
        try:
            syscalls.mount("sysfs", "/sys", "sysfs", flags | syscalls.MS_RDONLY)
        except PermissionError:
            return False
    syscalls.bind("/sys/devices/virtual/net", "/sys/devices/virtual/net")
    syscalls.make_read_only("/sys")
    return True


def _no_sysfs() -> None:
    """Hide the host's devices where the namespace's own cannot be shown."""
    for place in ("/sys/class/net", "/sys/devices/virtual/net"):
        if os.path.isdir(place):
            syscalls.mount("tmpfs", place, "tmpfs", syscalls.MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)


def _own_etc(hostname: str) -> None:
    """Lay an overlay over /etc: over the host's, or in a user namespace over our copy of it."""
    os.mkdir("/run/work")
    os.mkdir("/run/etc")
    ours = not syscalls.in_first_userns()
    if not ours:
        _hide_etc("/run/etc")
    _fill_etc("/run/etc", hostname)
    options = "lowerdir=/etc,upperdir=/run/etc,workdir=/run/work"
    try:
        syscalls.mount("overlay", "/etc", "overlay", 0, f"userxattr,{options}" if ours else options)
    except OSError as error:
        if not ours:
            what = "a node needs overlayfs for an /etc of its own, which this host does not give"
            raise OSError(error.errno, f"{error.strerror}; {what}") from error
        etc.copy("/etc", "/run/etc", ("hostname", "hosts", "machine-id"), ())
        syscalls.bind("/run/etc", "/etc")


def _hide_etc(upper: str) -> None:
    """Say in overlayfs' own terms what is absent (a 0:0 device) and what is empty (an opaque directory)."""
    os.mkdir(f"{upper}/systemd")
    for name in filter(_in_etc, ABSENT_ETC):
        os.mknod(f"{upper}/{name}", stat.S_IFCHR)
    for name in filter(_in_etc, EMPTY_ETC):
        os.mkdir(f"{upper}/{name}")
        os.setxattr(f"{upper}/{name}", "trusted.overlay.opaque", b"y")


def _fill_etc(upper: str, hostname: str) -> None:
    write(f"{upper}/hostname", f"{hostname}\n")
    write(f"{upper}/hosts", f"127.0.0.1 localhost\n127.0.1.1 {hostname}\n::1 localhost\n")
    write(f"{upper}/machine-id", f"{os.urandom(16).hex()}\n")


def _in_etc(name: str) -> bool:
    return os.path.lexists(f"/etc/{name}")


@cache
def _places() -> list[str]:
    """List the directories to cover by the node's own; each once, for /lib is /usr/lib on most systems."""
    return list(dict.fromkeys(os.path.realpath(place) for place in (*HIDDEN, *OWN) if os.path.isdir(place)))
