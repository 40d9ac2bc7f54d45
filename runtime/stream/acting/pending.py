"""The act on the machine that a verdict is to lead to."""

from __future__ import annotations

import threading
from collections.abc import Callable

Report = Callable[["int | None", bool], None]
"""Is told when the act ended, in monotonic nanoseconds, None where none was wanted; and whether
it was too late or failed."""


class PendingAct:
    """Goes with a verdict to the sinks that act on it, and tells what became of that.

    Several sinks may act on one verdict. The first that has acted counts; where none did, the
    last that says so.

    Args:
        deadline_ns: monotonic nanoseconds by which the act has to be done; None for never.
        sinks: how many sinks will say something.
    """

    __slots__ = ("_failed_ns", "_lock", "_open", "_outcome", "_report", "deadline_ns")

    def __init__(self, deadline_ns: int | None, sinks: int = 1) -> None:
        self.deadline_ns = deadline_ns
        self._open = sinks
        self._failed_ns: int | None = None
        self._outcome: tuple[int | None, bool] | None = None
        self._report: Report | None = None
        self._lock = threading.Lock()

    def done(self, now_ns: int, *, late: bool = False) -> None:
        """Say that the machine has been told."""
        with self._lock:
            self._open -= 1
            self._settle((now_ns, late))

    def failed(self, now_ns: int) -> None:
        """Say that the machine could not be told."""
        with self._lock:
            self._open -= 1
            self._failed_ns = now_ns
            self._settle_where_last()

    def spared(self) -> None:
        """Say that this verdict asked for no act."""
        with self._lock:
            self._open -= 1
            self._settle_where_last()

    def tell(self, report: Report) -> None:
        """Call `report` with the outcome, once: now where it is known, else when it is."""
        with self._lock:
            self._report = report
            if self._outcome is not None:
                report(*self._outcome)

    def _settle_where_last(self) -> None:
        if self._open <= 0:
            self._settle((self._failed_ns, self._failed_ns is not None))

    def _settle(self, outcome: tuple[int | None, bool]) -> None:
        if self._outcome is None:
            self._outcome = outcome
            if self._report is not None:
                self._report(*outcome)
