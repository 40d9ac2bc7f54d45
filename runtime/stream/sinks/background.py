"""Work on frames after their verdict, in a thread that nobody waits for."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from runtime.progress import Say
from runtime.realtime import give_way

LOG = logging.getLogger("edgecl.sinks")

CLOSE_S = 3.0
"""Time that the end of a stream waits for work that does not get on, in seconds."""

TOLD_S = 600.0
"""Least time between two lines to the user about one kind of work, in seconds."""

IDLE_S = 60.0
"""Time without work after which the thread looks after what it has written, in seconds."""

T = TypeVar("T")


class BackgroundWriter(Generic[T]):
    """Writes entries one by one. `put` returns at once.

    Where more come than can be written, the oldest that wait are left out and counted. What
    `write` raises is counted, and the next entry is tried.

    Args:
        name: of the work, for messages.
        write: writes an entry; may block and raise.
        most: entries that may wait.
        weigh: bytes that an entry holds.
        heaviest: bytes that entries may hold while they wait; one alone may be heavier.
        close_s: see `CLOSE_S`.
        idle: called by the thread where nothing came for `IDLE_S`.
        report: is told, in one line, when writing begins to fail and when it is well again.

    Attributes:
        written, left_out, failed: entries.
        problem: what went wrong last; empty where nothing did.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[T], None],
        *,
        most: int,
        weigh: Callable[[T], int] = lambda entry: 0,
        heaviest: int = 0,
        close_s: float = CLOSE_S,
        idle: Callable[[], None] = lambda: None,
        report: Say = lambda text: None,
    ) -> None:
        self.written = self.left_out = self.failed = 0
        self.problem = ""
        self._name = name
        self._write = write
        self._most = most
        self._weigh = weigh
        self._heaviest = heaviest
        self._close_s = close_s
        self._idle = idle
        self._report = report
        self._fault: tuple[type, object] | None = None
        self._told_fault = False
        self._silent_until = 0.0
        self._weight = 0
        self._waiting: deque[T] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, entry: T) -> None:
        """Leave an entry for the thread; after the end it is passed over."""
        weight = self._weigh(entry)
        with self._changed:
            if self._closing:
                return
            while self._waiting and (
                len(self._waiting) >= self._most or self._weight + weight > self._heaviest > 0
            ):
                self._weight -= self._weigh(self._waiting.popleft())
                self.left_out += 1
            self._waiting.append(entry)
            self._weight += weight
            self._changed.notify()

    def close(self) -> None:
        """Write what waits, as long as that gets on. Closing twice is fine."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        done, deadline = -1, time.monotonic() + self._close_s
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._thread.join(0.05)
            if done != self.written + self.failed:
                done, deadline = self.written + self.failed, time.monotonic() + self._close_s
        with self._changed:
            self.left_out += len(self._waiting)
            self._waiting.clear()

    def _run(self) -> None:
        give_way()
        while (entry := self._next()) is not None:
            try:
                self._write(entry)
            except Exception as error:  # one entry that fails must not end the next ones
                self._note(error)
                self.failed += 1
            else:
                self.written += 1
                self._tell_recovery()

    def _next(self) -> T | None:
        while not self._has_come():
            self._look_after()
        with self._changed:
            if not self._waiting:
                return None
            entry = self._waiting.popleft()
            self._weight -= self._weigh(entry)
            return entry

    def _has_come(self) -> bool:
        """Wait for an entry, or for the end; False where neither came for a while."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._waiting) or self._closing, IDLE_S)

    def _look_after(self) -> None:
        try:
            self._idle()
        except Exception as error:
            self._note(error)

    def _note(self, error: Exception) -> None:
        self.problem = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        cause = error.__cause__ or error
        fault = (type(cause), getattr(cause, "errno", None))
        if fault != self._fault:  # a full disk would fill the log
            LOG.warning("%s: %s", self._name, self.problem)
        self._fault = fault
        if not self._told_fault and time.monotonic() >= self._silent_until:
            self._told_fault = True
            self._silent_until = time.monotonic() + TOLD_S
            self._report(f"note: {self._name}: {getattr(error, 'problem', error)}")

    def _tell_recovery(self) -> None:
        if self._told_fault:
            self._told_fault = False
            self._report(f"note: {self._name} are written again; {self.failed} were not")
        self._fault = None
