"""What a listener remembers: the last of what came, for it may be flooded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
MOST_KEPT, MOST_BYTES_KEPT = 10_000, 64 << 20


class Kept(Generic[T]):
    """The last of what came; and how much came in all."""

    def __init__(self, size: Callable[[T], int]) -> None:
        self.kept: deque[T] = deque()
        self.count, self._bytes, self._size = 0, 0, size

    @property
    def left_out(self) -> int:
        return self.count - len(self.kept)

    def add(self, new: T) -> None:
        self.kept.append(new)
        self.count += 1
        self._bytes += self._size(new)
        while len(self.kept) > MOST_KEPT or self._bytes > MOST_BYTES_KEPT:
            self._bytes -= self._size(self.kept.popleft())
