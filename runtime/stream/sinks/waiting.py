"""Verdicts that wait for a disk, and the rhythm in which a sink's own thread writes them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class WaitingQueue(Generic[T]):
    """A bounded queue between the stream and a sink's thread; where it is full, the oldest goes.

    Args:
        capacity: entries that may wait.

    Attributes:
        lost: entries that did not wait any longer.
    """

    def __init__(self, capacity: int) -> None:
        self.lost = 0
        self._capacity = capacity
        self._entries: deque[T] = deque()
        self._lock = threading.Lock()

    def put(self, entry: T) -> None:
        """Let an entry wait. With no room left, the oldest is lost."""
        with self._lock:
            if len(self._entries) >= self._capacity:
                self._entries.popleft()
                self.lost += 1
            self._entries.append(entry)

    def take(self, most: int) -> list[T]:
        """Return the oldest entries, at most so many, and remove them."""
        with self._lock:
            return [self._entries.popleft() for _ in range(min(most, len(self._entries)))]

    def put_back(self, batch: list[T]) -> None:
        """Let entries wait again, before all others; the oldest without room are lost."""
        with self._lock:
            room = max(0, self._capacity - len(self._entries))
            self.lost += max(0, len(batch) - room)
            self._entries.extendleft(reversed(batch[max(0, len(batch) - room) :]))

    def abandon(self) -> None:
        """Count what still waits as lost."""
        with self._lock:
            self.lost += len(self._entries)
            self._entries.clear()


def flush_until(
    closing: threading.Event, flush: Callable[[], bool], *, period_s: float, retry_s: float
) -> None:
    """Flush every `period_s` until `closing` is set, and then once more.

    Args:
        flush: writes all that waits; False where it was refused, and is to be left for `retry_s`.
    """
    retry_at = 0.0
    while not closing.wait(period_s):
        if time.monotonic() >= retry_at and not flush():
            retry_at = time.monotonic() + retry_s
    flush()
