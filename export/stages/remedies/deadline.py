"""A stated time, and work that does not begin what would not end within it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from runtime.progress import StageProgress


class OutOfTimeError(Exception):
    """The stated time is over; whoever set it goes on without the rest."""


@dataclass(frozen=True)
class Deadline:
    """The end of a stated time.

    Args:
        start: on the clock, in seconds.
        seconds: from `start` on.
        clock: monotonic, in seconds.
    """

    start: float
    seconds: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
        """Return the end of the time that begins now."""
        return cls(clock(), seconds, clock)

    @property
    def spent(self) -> float:
        """Seconds since its start."""
        return self.clock() - self.start

    def share(self, share: float) -> Deadline:
        """Return the end of the first part of the same time.

        Args:
            share: of it, 0 to 1.
        """
        return Deadline(self.start, self.seconds * share, self.clock)

    def require(self, seconds: float = 0.0) -> None:
        """Let work begin that takes about so many seconds.

        Raises:
            OutOfTimeError: less time is left.
        """
        if self.spent + seconds >= self.seconds:
            raise OutOfTimeError

    def watch(self, report: StageProgress) -> StageProgress:
        """Return a progress report that ends work that reports, once the time is over."""

        def watched(stage: str, done: int, total: int, text: str) -> None:
            self.require()
            report(stage, done, total, text)

        return watched
