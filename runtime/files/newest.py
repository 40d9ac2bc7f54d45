"""Files of which the newest are kept, within a number and a size."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path


class NewestFiles:
    """Removes the oldest files where newer ones need their place. Used from one thread.

    Args:
        most: entries that are kept; None for any number.
        size: bytes that they may have together; None likewise.

    Attributes:
        size: bytes of the entries that are kept.
        removed: entries that made room.
    """

    def __init__(self, most: int | None, size: int | None = None) -> None:
        self.size = 0
        self.removed = 0
        self._most = most
        self._largest = size
        self._entries: deque[tuple[Sequence[Path], int]] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def last(self, count: int) -> list[Path]:
        """Return the paths of the newest so many entries, the newest last."""
        return [path for paths, _ in list(self._entries)[-count:] for path in paths]

    def make_room(self, size: int = 0) -> list[Path]:
        """Remove the oldest entries until one more fits.

        Args:
            size: bytes of that one.

        Returns:
            The files that were removed.
        """
        gone: list[Path] = []
        while self._entries and not self._fits(size):
            paths, weight = self._entries.popleft()
            for path in paths:
                with contextlib.suppress(OSError):  # somebody else has moved or removed it
                    path.unlink()
            self.size -= weight
            self.removed += 1
            gone += paths
        return gone

    def add(self, paths: Sequence[Path], size: int = 0) -> None:
        """Count an entry as the newest.

        Args:
            paths: its files, which are removed in this order.
            size: bytes of all of them.
        """
        self._entries.append((paths, size))
        self.size += size

    def _fits(self, size: int) -> bool:
        few = self._most is None or len(self._entries) < self._most
        return few and (self._largest is None or self.size + size <= self._largest)
