"""What a daemon says: the last of it, in memory, however much it is and whether or not anybody reads it."""

from __future__ import annotations

import os

from pytest_netconform.kernel.processes.inits import Processes

MOST_BYTES = 1 << 16


class Log:
    """A pipe for a daemon to write to, which its init empties into a file in memory.

    Raises: BuildError if there can be no init.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._file = os.memfd_create("daemon")
        read, self.pipe = os.pipe()
        try:
            processes.keep(read, self._file)
        except BaseException:
            self.close()
            raise
        finally:
            os.close(read)

    def __del__(self) -> None:
        self.close()

    def release(self) -> None:
        """Close what only the daemon needs."""
        if self.pipe >= 0:
            pipe, self.pipe = self.pipe, -1
            os.close(pipe)

    def size(self) -> int:
        """Say how much was written so far, in bytes."""
        self._processes.flush()
        return os.fstat(self._file).st_size

    def read(self, start: int = 0) -> str:
        """Give what was written from there on, or the last 64 KiB of it."""
        size = self.size()
        return os.pread(self._file, MOST_BYTES, max(start, size - MOST_BYTES)).decode(errors="replace")

    def close(self) -> None:
        self.release()
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)
