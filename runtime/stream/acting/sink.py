"""A sink that acts on the machine: its own thread, a short queue, and no act that comes late."""

from __future__ import annotations

import logging
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable

from runtime.progress import Say
from runtime.realtime import take_precedence
from runtime.stream.sinks.base import Sink
from runtime.stream.verdict import Status, Verdict

LOG = logging.getLogger("edgecl.sinks")

CAPACITY = 64
"""Verdicts that may wait for the thread. It needs microseconds for each: more wait only where it
hangs, and by then the parts have passed."""

CLOSE_S = 3.0
"""Time that the end of a stream waits for acts that are still to come, in seconds."""

MOST_REPORTS = 20
"""Problems of a sink that are told while the stream runs."""

HANG_S = 1.0
"""Time that it then waits for a driver that hangs, in seconds."""


class ActingSink(Sink):
    """Acts on verdicts from a thread of its own; `start` it once all of it is there.

    A verdict whose time is over when its turn comes is acted on as `late`, or as `fault` if it is
    one: never as what it says. One that turns out to have been acted on too late is withdrawn
    where it was a `pass`. Both are counted.

    Args:
        capacity: verdicts that may wait; then the oldest is lost, and its act has failed.
        clock: monotonic nanoseconds.
        report: is told, in one line, of the first act that came too late, and of problems.

    Attributes:
        acted: verdicts that the machine was told.
        late_acts: of those, the ones that came too late.
        needs_parts: whether of several cameras it takes verdicts on their parts alone.
    """

    isolated = True
    acts = True
    needs_parts: bool = False

    def __init__(
        self,
        *,
        capacity: int = CAPACITY,
        clock: Callable[[], int] = time.monotonic_ns,
        report: Say = lambda text: None,
    ) -> None:
        self.lost = 0
        self.acted = 0
        self.late_acts = 0
        self.problem = ""
        self._capacity = capacity
        self._clock = clock
        self._report = report
        self._reports_left = MOST_REPORTS
        self._told_late = False
        self._waiting: deque[Verdict] = deque()
        self._changed = threading.Condition()
        self._close_by_ns: int | None = None
        self._thread = threading.Thread(target=self._run, name="acts", daemon=True)

    @abstractmethod
    def act(self, verdict: Verdict, status: Status, now_ns: int) -> bool:
        """Act on a verdict.

        Args:
            status: what to act on: the verdict's own, or `late`.

        Returns:
            False where it asked for no act.
        """

    def withdraw(self, verdict: Verdict) -> None:
        """Take back the act on a `pass` that turned out to have been too late."""

    def is_over(self, verdict: Verdict, now_ns: int) -> bool:
        """Whether the time to act on a verdict is over, apart from its deadline."""
        return False

    def next_ns(self) -> int | None:
        """Return when `tick` is wanted, in monotonic nanoseconds; None until the next verdict."""
        return None

    def tick(self, now_ns: int) -> None:
        """Do what is due; called after each verdict too."""

    def busy(self) -> bool:
        """Whether an act on an earlier verdict is still to come, as a delayed one."""
        return False

    def rest(self) -> None:
        """Bring the machine to rest, at the end."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def emit(self, verdict: Verdict) -> None:
        """Leave a verdict for the thread."""
        with self._changed:
            dropped = self._waiting.popleft() if len(self._waiting) >= self._capacity else None
            self._waiting.append(verdict)
            self._changed.notify()
        if dropped is not None:
            self._lose(dropped, "it did not act in time on what it was given")

    def close(self) -> None:
        """Act on what waits, and bring the machine to rest. Closing twice is fine."""
        with self._changed:
            if self._close_by_ns is None:
                self._close_by_ns = self._clock() + int(CLOSE_S * 1e9)
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S + HANG_S)
        if self._thread.is_alive():
            self.problem = self.problem or "it did not respond in time and was abandoned"
        with self._changed:
            left = list(self._waiting)
            self._waiting.clear()
        for verdict in left:
            self._lose(verdict, self.problem)

    def _run(self) -> None:
        take_precedence()
        while not self._ended():
            verdict = self._take()
            if verdict is not None:
                self._handle(verdict)
            self._guarded(lambda: self.tick(self._clock()))
        self._guarded(self.rest)

    def _ended(self) -> bool:
        with self._changed:
            if self._close_by_ns is None or self._waiting:
                return False
            return not self.busy() or self._clock() >= self._close_by_ns

    def _take(self) -> Verdict | None:
        """Wait for a verdict, the next tick or the end."""
        with self._changed:
            while not self._waiting:
                if self._close_by_ns is not None and not self.busy():
                    return None
                times = [ns for ns in (self.next_ns(), self._close_by_ns) if ns is not None]
                left_s = (min(times) - self._clock()) / 1e9 if times else None
                if left_s is not None and left_s <= 0:
                    return None
                self._changed.wait(left_s)
            return self._waiting.popleft()

    def _handle(self, verdict: Verdict) -> None:
        now_ns = self._clock()
        status = verdict.decision.status
        try:
            late = _has_passed(verdict, now_ns) or self.is_over(verdict, now_ns)
            if late and status is not Status.FAULT:
                status = Status.LATE
            wanted = self.act(verdict, status, now_ns)
            ended_ns = self._clock()
            if wanted and not late and _has_passed(verdict, ended_ns):
                late = True
                if status is Status.PASS:
                    self.withdraw(verdict)
        except Exception as error:  # a driver may raise anything
            self._lose(verdict, _words_of(error))
            return
        if verdict.act is not None and wanted:
            verdict.act.done(ended_ns, late=late)
        elif verdict.act is not None:
            verdict.act.spared()
        if wanted:
            self.acted += 1
            self.late_acts += late
            if late:
                self._tell_once(verdict)

    def _tell_once(self, verdict: Verdict) -> None:
        if not self._told_late:
            self._told_late = True
            self._report(
                f"sink {self.name}: the verdict on frame {verdict.number} came too late, and was "
                "acted on as such; the summary counts them"
            )

    def _lose(self, verdict: Verdict, problem: str) -> None:
        self.lost += 1
        if verdict.act is not None:
            verdict.act.failed(self._clock())
        self._note(problem)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do what no verdict waits for; the thread outlives whatever it raises."""
        try:
            work()
        except Exception as error:
            self._note(_words_of(error))

    def _note(self, problem: str) -> None:
        if problem != self.problem and self._reports_left:  # a dead driver would fill the log
            self._reports_left -= 1
            LOG.warning("sink %s: %s", self.name, problem)
            self._report(f"sink {self.name}: {problem}")
        self.problem = problem


def _has_passed(verdict: Verdict, now_ns: int) -> bool:
    act = verdict.act
    return act is not None and act.deadline_ns is not None and now_ns > act.deadline_ns


def _words_of(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:300]
