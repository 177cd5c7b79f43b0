"""The keeper, which buries the inits of our PID namespaces; and an init, which starts and buries all others.

A program of its own that starts fast and stays small: it imports nothing of ours, and little of Python's.
Were pytest the parent, its death would leave its children to whoever buries them, late or never, and no PID
namespace goes before its last process is buried.
"""

# ruff: noqa: PTH118, PTH123, SIM105 - pathlib and contextlib take longer to import than all else here

from __future__ import annotations

import ctypes
import errno
import marshal
import os
import select
import sys
from _socket import (
    AF_UNIX,
    CMSG_SPACE,
    MSG_CMSG_CLOEXEC,
    MSG_CTRUNC,
    SCM_CREDENTIALS,
    SCM_RIGHTS,
    SOCK_SEQPACKET,
    SOL_SOCKET,
    socket,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn
else:
    import _signal as signal  # signal itself takes 3 ms, for its enums

MOST_BYTES, MOST_FDS = 1 << 16, 253
"""What one message holds; a longer one comes in a file. The other is SCM_MAX_FD."""
IGNORED = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGPIPE, signal.SIGXFSZ),
)
"""By us, not by commands: an end is told to us by a socket."""
CLONE_NEWNS, CLONE_NEWPID = 0x0002_0000, 0x2000_0000
MS_NOSUID_NODEV_NOEXEC = 0x2 | 0x4 | 0x8
FALLOC_FL_PUNCH_HOLE_KEEP_SIZE = 0x2 | 0x1
PIPE_BYTES, LOG_BYTES = 1 << 16, 1 << 17
"""What a pipe holds, and what is kept of the output of a daemon."""
PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 15, 36

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]


class Bell:
    """A pipe that rings when a child has ended, for poll."""

    def __init__(self) -> None:
        self.fd, rope = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(rope, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def hush(self) -> None:
        os.read(self.fd, 4096)


def ended(flags: int = os.WNOHANG) -> list[tuple[int, int]]:
    """Bury the children that have ended; list them, each with its exit code."""
    found: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, flags)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        found.append((pid, os.waitstatus_to_exitcode(status)))


def receive(sock: socket) -> tuple[Any, list[int]]:
    """Take one message with its descriptors; None when the other side is gone."""
    data, ancillary, flags, _ = sock.recvmsg(MOST_BYTES, CMSG_SPACE(4 * MOST_FDS), MSG_CMSG_CLOEXEC)
    fds = [
        int.from_bytes(part[at : at + 4], sys.byteorder)
        for level, kind, part in ancillary
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS)
        for at in range(0, len(part) - 3, 4)
    ]
    if not data:
        return None, fds
    if flags & MSG_CTRUNC:
        return ("refuse", errno.EMFILE), fds
    message = marshal.loads(data)
    if message is None:
        fd = fds.pop()
        message = marshal.loads(os.pread(fd, os.fstat(fd).st_size, 0))
        os.close(fd)
    return message, fds


def tell(fd: int, *words: Any) -> None:
    """Send a message to pytest, which may be gone or not want to know."""
    try:
        os.write(fd, marshal.dumps(words))
    except OSError:
        pass


def tell_error(fd: int, error: Exception) -> None:
    name = os.fsdecode(getattr(error, "filename", None) or b"")
    if isinstance(error, OSError):
        tell(fd, "error", error.errno, error.strerror, name)
    else:
        tell(fd, "error", errno.EINVAL, str(error), name)


def check(result: int, call: str) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, call + ": " + os.strerror(number))


def call_oneself(name: bytes) -> None:
    """Show *name* in lists of processes, for a node's should not tell of us."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end
    _libc.prctl(PR_SET_NAME, name, 0, 0, 0)
    if 0 < start < end - len(name) - 1:
        ctypes.memmove(start, name.ljust(end - start - 1, b"\0") + b"\1", end - start)


class Keeper:
    """The parent of the inits of all PID namespaces; ends when pytest does, after the last of them."""

    def __init__(self, control: socket) -> None:
        self.control, self.bell = control, Bell()
        self.lifelines: dict[int, int] = {}
        check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)")

    def serve(self) -> None:
        poll = select.poll()
        poll.register(self.bell.fd, select.POLLIN)
        poll.register(self.control.fileno(), select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self.bell.fd:
                    self.bell.hush()
                    self.bury()
                    continue
                message, fds = receive(self.control)
                if message is None:
                    return
                if fds:
                    self.make(message, fds)

    def bury(self, flags: int = os.WNOHANG) -> None:
        """Let go of the lifeline of each init that has ended, which tells pytest that all in it has."""
        for pid, _ in ended(flags):
            os.close(self.lifelines.pop(pid))

    def make(self, message: Any, fds: list[int]) -> None:
        """Have a child enter the namespaces, for good, and start an init there, which we inherit from it."""
        try:
            told, telling = os.pipe2(os.O_CLOEXEC)
            fds += (told, telling)
            child = os.fork()
            if child == 0:
                between(message, fds[:-2], telling)
            os.close(fds.pop())
            pid = int(os.read(told, 64) or b"0")
            os.waitpid(child, 0)
            if pid:
                self.lifelines[pid] = fds.pop(0)
        except OSError as error:
            tell_error(fds[0], error)
        for fd in fds:
            os.close(fd)

    def end(self) -> None:
        """End and bury all; most know already that pytest is gone, but something else may hold a lifeline."""
        for pid in self.lifelines:
            os.kill(pid, signal.SIGKILL)
        self.bury(0)


def between(message: Any, fds: list[int], telling: int) -> NoReturn:
    """Enter namespaces and fork an init; its own process, for not every user can come back from there."""
    lifeline, channel, *handles = fds
    try:
        if message[0] == "refuse":
            raise OSError(message[1], os.strerror(message[1]))
        _, kinds, proc = message
        for fd, kind in zip(handles, kinds, strict=True):
            check(_libc.setns(fd, kind), "setns")
        check(_libc.unshare(CLONE_NEWPID), "unshare(CLONE_NEWPID)")
        pid = os.fork()
        if pid == 0:
            be_init(lifeline, channel, proc)
        os.write(telling, str(pid).encode())
    except Exception as error:
        tell_error(lifeline, error)
    finally:
        os._exit(0)


def be_init(lifeline: int, channel: int, proc: bytes) -> NoReturn:
    try:
        below = 3
        for fd in sorted((lifeline, channel)):
            os.closerange(below, fd)
            below = fd + 1
        os.closerange(below, 1 << 20)
        os.dup2(1, 0)
        call_oneself(b"init")
        if proc:
            done = _libc.mount(proc, b"/proc", proc, MS_NOSUID_NODEV_NOEXEC, None)
            check(done, f"mount({proc.decode()}, /proc)")
        init = Init(lifeline, socket(AF_UNIX, SOCK_SEQPACKET, 0, channel))
        os.dup2(1, 2)
        tell(lifeline, "ready")
        init.serve()
    except Exception as error:
        tell_error(lifeline, error)
    finally:
        os._exit(0)


class Logs:
    """Pipes that daemons write to, each with a file in memory, of which only the end takes room."""

    def __init__(self, poll: select.poll) -> None:
        self.poll = poll
        self.files: dict[int, int] = {}

    def add(self, pipe: int, file: int) -> None:
        os.set_blocking(pipe, False)
        self.files[pipe] = file
        self.poll.register(pipe, select.POLLIN)

    def drain_all(self) -> None:
        for pipe in list(self.files):
            self.drain(pipe)

    def drain(self, pipe: int) -> None:
        """Take all that is in a pipe now: no more than it holds, however fast it is filled."""
        if pipe not in self.files:
            return
        try:
            data = os.read(pipe, PIPE_BYTES)
        except BlockingIOError:
            return
        file = self.files[pipe]
        if not data:
            self.poll.unregister(pipe)
            del self.files[pipe]
            os.close(pipe)
            os.close(file)
            return
        os.write(file, data)
        beyond = os.lseek(file, 0, os.SEEK_CUR) - LOG_BYTES
        if beyond > 0:
            _libc.fallocate(file, FALLOC_FL_PUNCH_HOLE_KEEP_SIZE, 0, beyond)


class Init:
    """Process 1 of a PID namespace: starts commands, tells how each ended; its own end is that of all."""

    def __init__(self, lifeline: int, channel: socket) -> None:
        self.lifeline, self.channel, self.bell = lifeline, channel, Bell()
        self.pids: dict[int, int] = {}
        self.waiting: dict[int, tuple[int, int]] = {}
        self.poll = select.poll()
        self.logs = Logs(self.poll)

    def serve(self) -> None:
        for fd in (self.lifeline, self.bell.fd, self.channel.fileno()):
            self.poll.register(fd, select.POLLIN)
        while True:
            for fd, _ in self.poll.poll():
                if fd == self.bell.fd:
                    self.bell.hush()
                    self.report()
                elif fd == self.lifeline or (fd == self.channel.fileno() and not self.heed()):
                    self.end()
                    return
                else:
                    self.logs.drain(fd)

    def end(self) -> None:
        """Kill all others at once and bury them, lest those who wait for a status have none."""
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.report(0)

    def report(self, flags: int = os.WNOHANG) -> None:
        buried = ended(flags)
        self.logs.drain_all()
        for pid, code in buried:
            if pid in self.waiting:  # others are orphans
                ident, status = self.waiting.pop(pid)
                del self.pids[ident]
                tell(status, "ended", code)
                os.close(status)

    def heed(self) -> bool:
        """Do what one message asks for; say whether there was one."""
        message, fds = receive(self.channel)
        if message is None:
            return False
        if message[0] == "signal":
            self.send(*message[1:])
            return True
        if not fds:  # not even the first: whoever waits sees its other end closed
            return True
        if message[0] == "log":
            self.logs.add(*fds)
            return True
        status = fds.pop(0)
        if message[0] == "flush":
            self.logs.drain_all()
            os.close(status)
            return True
        try:
            self.start(message, status, fds)
        except Exception as error:
            tell_error(status, error)
            os.close(status)
        for fd in fds:
            os.close(fd)
        return True

    def send(self, ident: int, number: int, group: bool) -> None:
        """Send a signal to a command, or to its group; it has not been buried, so it is no other's number."""
        self.report()
        if ident in self.pids:
            try:
                (os.killpg if group else os.kill)(self.pids[ident], number)
            except OSError:
                pass

    def start(self, message: Any, status: int, fds: list[int]) -> None:
        if message[0] == "refuse":
            raise OSError(message[1], os.strerror(message[1]))
        _, ident, argv, env, cwd, targets, told = message
        move_above(max(targets, default=2), fds)
        places = dict(zip(targets, fds, strict=True))
        os.chdir(places.pop(-1) if cwd is None else cwd)
        try:
            pid = spawned(argv, env, places)
        finally:
            os.chdir("/")
        self.pids[ident], self.waiting[pid] = pid, (ident, status)
        if told:
            tell_pid(status, pid)


def move_above(target: int, fds: list[int]) -> None:
    """Renumber descriptors so that none is overwritten while others are put in their places."""
    for at, fd in enumerate(fds):
        if fd <= target:
            import fcntl

            fds[at] = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, target + 1)
            os.close(fd)


def spawned(argv: list[bytes], env: dict[bytes, bytes], fds: dict[int, int]) -> int:
    """Start a program in a session of its own, looked for as subprocess does; give its process id, here."""
    places = [b""] if b"/" in argv[0] else env.get(b"PATH", os.fsencode(os.defpath)).split(b":")
    actions = [(os.POSIX_SPAWN_DUP2, source, target) for target, source in fds.items()]
    saved: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])
    for place in places:
        path = os.path.join(place, argv[0])
        if not os.path.lexists(path):
            continue
        try:
            return os.posix_spawn(
                path, argv, env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=IGNORED
            )
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                saved = error
    raise saved


def tell_pid(status: int, pid: int) -> None:
    """Say that a command runs; the kernel itself translates its number for pytest."""
    number = b"".join(value.to_bytes(4, sys.byteorder) for value in (pid, os.getuid(), os.getgid()))
    sock = socket(AF_UNIX, SOCK_SEQPACKET, 0, status)
    try:
        sock.sendmsg([marshal.dumps(("started",))], [(SOL_SOCKET, SCM_CREDENTIALS, number)])
    except OSError:
        pass
    finally:
        sock.detach()


def main() -> None:
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    call_oneself(b"netconform")
    keeper = Keeper(socket(AF_UNIX, SOCK_SEQPACKET, 0, os.dup(0)))
    os.dup2(1, 0)
    keeper.serve()
    keeper.end()


if __name__ == "__main__":
    main()
