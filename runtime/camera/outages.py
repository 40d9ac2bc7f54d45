"""Messages on a camera's outages, in bounded memory: a stream may run for a year."""

from __future__ import annotations

from collections import deque

FIRST = 20
LAST = 80


class Outages:
    """Log of the first and the latest lines, with a count of all."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=LAST)

    def add(self, line: str) -> None:
        """Add a line."""
        self.count += 1
        if len(self._first) < FIRST:
            self._first.append(line)
        else:
            self._last.append(line)

    @property
    def lines(self) -> list[str]:
        """Return the kept lines; one counts those dropped between the first and the latest."""
        left_out = self.count - len(self._first) - len(self._last)
        between = [f"({left_out} more messages like this were suppressed)"] if left_out else []
        return [*self._first, *between, *self._last]
