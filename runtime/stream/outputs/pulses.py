"""Pulses of one output: when it goes up, and when down. Pure: the time is passed in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

LATE_NS = 10_000_000
"""A pulse that begins so many nanoseconds after its time has missed its part."""

MOST_WAITING = 1000
"""Pulses that may wait for their time: parts between the camera and the rejector."""


@dataclass(frozen=True)
class Pulse:
    """A pulse that waits for its moment.

    Args:
        due: when it begins: monotonic nanoseconds, or a count of ticks.
        is_pass: whether it lets a part go; then it must not come late.
    """

    due: int
    is_pass: bool


class PulseTrain:
    """The pulses of one output.

    Each lasts its whole length from where it really begins. Pulses that overlap are merged: the
    line stays up until the last of them ends. A second pulse that waited for the end of the first
    would come at the time of another part.

    Args:
        length_ns: of a pulse, in nanoseconds.
    """

    def __init__(self, length_ns: int) -> None:
        self._length_ns = length_ns
        self._timed: deque[Pulse] = deque()
        self._counted: deque[Pulse] = deque()
        self._until_ns = 0
        self._up_for_pass = False

    @property
    def waiting(self) -> int:
        """Pulses whose moment is to come."""
        return len(self._timed) + len(self._counted)

    def begin(self, now_ns: int, *, is_pass: bool) -> None:
        """Go up now."""
        self._up_for_pass = is_pass and (self._up_for_pass or not self.is_up(now_ns))
        self._until_ns = max(self._until_ns, now_ns + self._length_ns)

    def begin_at(self, due_ns: int, *, is_pass: bool) -> None:
        """Go up at a time to come."""
        self._keep(self._timed, Pulse(due_ns, is_pass))

    def begin_at_count(self, count: int, *, is_pass: bool) -> None:
        """Go up when the encoder has counted so far."""
        self._keep(self._counted, Pulse(count, is_pass))

    def advance(self, now_ns: int, count: int | None = None) -> int:
        """Begin what is due.

        Args:
            count: of ticks; None where there are none.

        Returns:
            How many began too late, or, of pulses that let a part go, did not begin for that.
        """
        late = 0
        due = [pulse for pulse in self._timed if pulse.due <= now_ns]
        self._timed = deque(pulse for pulse in self._timed if pulse.due > now_ns)
        for pulse in due:
            late += self._begin_due(pulse, now_ns, late=now_ns - pulse.due > LATE_NS)
        if count is not None:
            reached = [pulse for pulse in self._counted if pulse.due <= count]
            self._counted = deque(pulse for pulse in self._counted if pulse.due > count)
            for pulse in reached:
                self._begin_due(pulse, now_ns, late=False)
        return late

    def lose_count(self, now_ns: int) -> int:
        """Begin at once what waits for ticks, as late: nobody knows where its parts are.

        Returns:
            How many pulses that are.
        """
        late = sum(self._begin_due(pulse, now_ns, late=True) for pulse in self._counted)
        self._counted.clear()
        return late

    def withdraw_pass(self, now_ns: int) -> None:
        """Go down where only passes hold the line up, and forget the last that waits."""
        for waiting in (self._timed, self._counted):
            if waiting and waiting[-1].is_pass:
                waiting.pop()
                return
        if self._up_for_pass:
            self._until_ns = now_ns
            self._up_for_pass = False

    def is_up(self, now_ns: int) -> bool:
        """Whether the line is up."""
        return now_ns < self._until_ns

    def next_ns(self, now_ns: int) -> int | None:
        """Return when the line changes next by itself; None for never."""
        times = [pulse.due for pulse in self._timed]
        if self.is_up(now_ns):
            times.append(self._until_ns)
        return min(times, default=None)

    def _begin_due(self, pulse: Pulse, now_ns: int, *, late: bool) -> bool:
        if not (late and pulse.is_pass):
            self.begin(now_ns, is_pass=pulse.is_pass)
        return late

    def _keep(self, waiting: deque[Pulse], pulse: Pulse) -> None:
        if self.waiting >= MOST_WAITING:
            raise OverflowError(f"{MOST_WAITING} pulses wait already")
        waiting.append(pulse)
