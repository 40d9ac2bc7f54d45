"""Files of which the newest are kept, within a number, a size and an age."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class _Entry(NamedTuple):
    paths: Sequence[Path]
    size: int
    moment: int


class NewestFiles:
    """Removes the oldest files where newer ones need their place. Used from one thread.

    Args:
        most: entries that are kept; None for any number.
        size: bytes that they may have together; None likewise.

    Attributes:
        size: bytes of the entries that are kept.
        removed: entries that made room, or were too old.
    """

    def __init__(self, most: int | None, size: int | None = None) -> None:
        self.size = 0
        self.removed = 0
        self._most = most
        self._largest = size
        self._entries: deque[_Entry] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def last(self, count: int) -> list[Path]:
        """Return the paths of the newest so many entries, the newest last."""
        return [path for entry in list(self._entries)[-count:] for path in entry.paths]

    def make_room(self, size: int = 0) -> list[Path]:
        """Remove the oldest entries until one more fits.

        Args:
            size: bytes of that one.

        Returns:
            The files that were removed.
        """
        gone: list[Path] = []
        while self._entries and not self._fits(size):
            gone += self._remove(self._entries.popleft())
        return gone

    def drop_before(self, moment: int) -> list[Path]:
        """Remove the entries of an earlier moment.

        Args:
            moment: on the clock of `add`.

        Returns:
            The files that were removed.
        """
        # Not only from the old end: a clock that was set leaves moments in another order.
        old = [entry for entry in self._entries if entry.moment < moment]
        if old:
            self._entries = deque(entry for entry in self._entries if entry.moment >= moment)
        return [path for entry in old for path in self._remove(entry)]

    def add(self, paths: Sequence[Path], size: int = 0, moment: int = 0) -> None:
        """Count an entry as the newest.

        Args:
            paths: its files, which are removed in this order.
            size: bytes of all of them.
            moment: its own, on a clock of the caller's.
        """
        self._entries.append(_Entry(paths, size, moment))
        self.size += size

    def _remove(self, entry: _Entry) -> Sequence[Path]:
        for path in entry.paths:
            with contextlib.suppress(OSError):  # somebody else has moved or removed it
                path.unlink()
        self.size -= entry.size
        self.removed += 1
        return entry.paths

    def _fits(self, size: int) -> bool:
        few = self._most is None or len(self._entries) < self._most
        return few and (self._largest is None or self.size + size <= self._largest)
