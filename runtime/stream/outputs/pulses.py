"""Pulses of one output: when it goes up, and when down. Pure: the time is passed in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

LATE_NS = 10_000_000
"""A pulse that begins so many nanoseconds after its time has missed its part."""

MOST_WAITING = 1000
"""Changes that may wait for their time: parts between the camera and the rejector."""


class LineChange(Enum):
    """A change of a line for a part."""

    PULSE = "pulse"
    PASS = "pass"
    """A pulse that lets a part go: it must not come late."""
    END = "end"
    """The end of what let the part before go, which must not let this one go too."""


@dataclass(frozen=True)
class WaitingChange:
    """A change that waits for its moment.

    Args:
        due: monotonic nanoseconds, or a count of ticks.
    """

    due: int
    change: LineChange


class PulseTrain:
    """The pulses of one output.

    Each lasts its whole length from where it really begins. Pulses that overlap are merged: the
    line stays up until the last of them ends. A second pulse that waited for the end of the first
    would come at the time of another part. What lets parts go ends early where one comes that
    must not go.

    Args:
        length_ns: of a pulse, in nanoseconds.
    """

    def __init__(self, length_ns: int) -> None:
        self._length_ns = length_ns
        self._timed: deque[WaitingChange] = deque()
        self._counted: deque[WaitingChange] = deque()
        self._until_ns = 0
        self._up_for_pass = False

    @property
    def waiting(self) -> int:
        """Changes whose moment is to come."""
        return len(self._timed) + len(self._counted)

    def make(self, change: LineChange, now_ns: int) -> None:
        """Make a change now."""
        if change is LineChange.END:
            self._end_pass(now_ns)
            return
        is_pass = change is LineChange.PASS
        self._up_for_pass = is_pass and (self._up_for_pass or not self.is_up(now_ns))
        self._until_ns = max(self._until_ns, now_ns + self._length_ns)

    def make_at(self, change: LineChange, due_ns: int) -> None:
        """Make a change at a time to come."""
        self._keep(self._timed, WaitingChange(due_ns, change))

    def make_at_count(self, change: LineChange, count: int) -> None:
        """Make a change when the encoder has counted so far."""
        self._keep(self._counted, WaitingChange(count, change))

    def advance(self, now_ns: int, count: int | None = None) -> int:
        """Make what is due.

        Args:
            count: of ticks; None where there are none.

        Returns:
            How many changes came too late, or, of pulses that let a part go, not for that.
        """
        late = 0
        due = [waiting for waiting in self._timed if waiting.due <= now_ns]
        self._timed = deque(waiting for waiting in self._timed if waiting.due > now_ns)
        for waiting in due:
            late += self._make_due(waiting, now_ns, late=now_ns - waiting.due > LATE_NS)
        if count is not None:
            reached = [waiting for waiting in self._counted if waiting.due <= count]
            self._counted = deque(waiting for waiting in self._counted if waiting.due > count)
            for waiting in reached:
                self._make_due(waiting, now_ns, late=False)
        return late

    def lose_count(self, now_ns: int) -> int:
        """Make at once what waits for ticks, as late: nobody knows where its parts are.

        Returns:
            How many changes that are.
        """
        late = sum(self._make_due(waiting, now_ns, late=True) for waiting in self._counted)
        self._counted.clear()
        return late

    def withdraw_pass(self, now_ns: int) -> None:
        """Go down where only passes hold the line up, and forget the last that waits."""
        for waiting in (self._timed, self._counted):
            if waiting and waiting[-1].change is LineChange.PASS:
                waiting.pop()
                return
        self._end_pass(now_ns)

    def is_up(self, now_ns: int) -> bool:
        """Whether the line is up."""
        return now_ns < self._until_ns

    def next_ns(self, now_ns: int) -> int | None:
        """Return when the line changes next by itself; None for never."""
        times = [waiting.due for waiting in self._timed]
        if self.is_up(now_ns):
            times.append(self._until_ns)
        return min(times, default=None)

    def _make_due(self, waiting: WaitingChange, now_ns: int, *, late: bool) -> bool:
        if waiting.change is LineChange.END:
            late = late and self._up_for_pass and self.is_up(now_ns)
        if not (late and waiting.change is LineChange.PASS):
            self.make(waiting.change, now_ns)
        return late

    def _end_pass(self, now_ns: int) -> None:
        if self._up_for_pass:
            self._until_ns = min(self._until_ns, now_ns)
            self._up_for_pass = False

    def _keep(self, kept: deque[WaitingChange], change: WaitingChange) -> None:
        if self.waiting >= MOST_WAITING:
            raise OverflowError(f"{MOST_WAITING} changes wait already")
        kept.append(change)
