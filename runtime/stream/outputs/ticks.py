"""Ticks of an encoder: how far the belt has moved, now and when a frame was taken."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from bisect import bisect_right
from pathlib import Path

KEPT_NS = 10_000_000_000
"""Age of the oldest count that is known, in nanoseconds: far more than a verdict may take."""

SAMPLE_NS = 2_000_000
"""Nanoseconds between two looks at the counter."""

GONE_NS = 100_000_000
"""A counter that could not be read for so many nanoseconds is gone, and not just being written."""


class TickHistory:
    """Counts by their times, of the last `KEPT_NS`. Pure: both are passed in.

    Attributes:
        added_ns: when a count was added last.
    """

    def __init__(self) -> None:
        self._times: list[int] = []
        self._counts: list[int] = []
        self.added_ns = 0

    @property
    def count(self) -> int | None:
        """The last count; None before the first."""
        return self._counts[-1] if self._counts else None

    def add(self, now_ns: int, count: int) -> bool:
        """Add a count; False where it is less than the last: the counter began anew."""
        self.added_ns = now_ns
        anew = bool(self._counts) and count < self._counts[-1]
        if anew:
            self.forget()
        if not self._counts or count != self._counts[-1]:
            self._times.append(now_ns)
            self._counts.append(count)
        old = bisect_right(self._times, now_ns - KEPT_NS) - 1
        if old > 256:  # the last one before that time still holds in it
            del self._times[:old], self._counts[:old]
        return not anew

    def forget(self) -> None:
        """Forget all counts, as where the counter cannot be read."""
        self._times.clear()
        self._counts.clear()

    def at(self, ns: int) -> int | None:
        """Return what had been counted by a time; None where that is not known."""
        found = bisect_right(self._times, ns)
        return self._counts[found - 1] if found else None


class TickSource(ABC):
    """Counts the ticks of an encoder; used from one thread."""

    def __init__(self) -> None:
        self.history = TickHistory()

    @abstractmethod
    def look(self, now_ns: int) -> bool:
        """Take what was counted into the history; False where the counter began anew.

        Raises:
            OSError, ValueError: it cannot be read.
        """

    def close(self) -> None:  # noqa: B027 - not every source holds something
        """Give back what is held."""


class FileTicks(TickSource):
    """The number in a file, as a simulator or a driver of the machine writes it.

    A tick is known as late as the next look, so a pulse may be off by the belt's way in
    `SAMPLE_NS`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def look(self, now_ns: int) -> bool:
        """Read the number."""
        # A pipe without a writer must not hold the outputs up.
        file = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            text = os.read(file, 64).decode("ascii", "replace").strip()
        finally:
            os.close(file)
        if not text.isdecimal() or len(text) > 18:
            raise ValueError(f"{self._path} has no count of ticks")
        return self.history.add(now_ns, int(text))
