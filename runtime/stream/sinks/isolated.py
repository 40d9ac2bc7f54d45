"""A sink behind a queue and a thread, so that nothing it does reaches the stream."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from runtime.stream.sinks.base import LineControls, Sink
from runtime.stream.verdict import Verdict

LOG = logging.getLogger("edgecl.sinks")

CAPACITY = 10_000
"""Verdicts that may wait for a slow sink."""

CLOSE_S = 3.0
"""Time that the end of a stream waits for a sink that does not take what is left, in seconds."""


class IsolatedSink(Sink):
    """Hands verdicts to another sink from a thread of its own.

    What the sink raises is counted and kept as `problem`, and the next verdict is tried again.
    While it blocks, verdicts wait, up to `capacity`; then the oldest is lost and counted.

    Args:
        sink: may block or raise.
        capacity: verdicts that may wait.
        close_s: how long `close` waits, in seconds.
    """

    isolated = True

    def __init__(self, sink: Sink, *, capacity: int = CAPACITY, close_s: float = CLOSE_S) -> None:
        self.sink = sink
        self.name = sink.name or type(sink).__name__
        self.delivered = 0
        self._capacity = capacity
        self._close_s = close_s
        self._dropped = 0
        self._failed = 0
        self._waiting: deque[Verdict] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"sink {self.name}", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:  # type: ignore[override]
        """Verdicts that did not wait any longer, or that the sink refused or lost itself."""
        return self._dropped + self._failed + self.sink.lost

    @property
    def waiting(self) -> int:  # type: ignore[override]
        """Verdicts that the sink keeps on disk."""
        return self.sink.waiting

    @property
    def counts(self) -> Mapping[str, int]:  # type: ignore[override]
        """Further counts of the sink."""
        return self.sink.counts

    def attach(self, controls: LineControls) -> None:
        """Hand on what may be asked of the line."""
        self.sink.attach(controls)

    def emit(self, verdict: Verdict) -> None:
        """Leave a verdict for the thread."""
        with self._changed:
            if len(self._waiting) >= self._capacity:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(verdict)
            self._changed.notify()

    def offer_recipes(self, change: Callable[[int], None]) -> None:
        """Hand it on."""
        self.sink.offer_recipes(change)

    def close(self) -> None:
        """Let the sink finish, for a while; one that hangs is left behind."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        deadline = time.monotonic() + self._close_s
        delivered = -1
        while self._thread.is_alive() and (
            time.monotonic() < deadline or delivered != self.delivered
        ):
            # One that still makes progress is waited for.
            if time.monotonic() >= deadline:
                delivered, deadline = self.delivered, time.monotonic() + self._close_s
            self._thread.join(0.05)
        with self._changed:
            self._dropped += len(self._waiting)
            self._waiting.clear()
        if self._thread.is_alive():
            self.problem = self.problem or "it did not respond in time and was abandoned"

    def _run(self) -> None:
        while (verdict := self._take()) is not None:
            try:
                self.sink.emit(verdict)
            except Exception as error:  # a sink may raise anything
                self._failed += 1
                self._note(error)
            else:
                self.delivered += 1
                self.problem = self.problem or self.sink.problem
        try:
            self.sink.close()
        except Exception as error:
            self._note(error)

    def _take(self) -> Verdict | None:
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            return self._waiting.popleft() if self._waiting else None

    def _note(self, error: Exception) -> None:
        problem = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        if problem != self.problem:  # a dead receiver would fill the log
            LOG.warning("sink %s: %s", self.name, problem)
        self.problem = problem


def isolated(sink: Sink) -> Sink:
    """Return a sink whose `emit` returns at once and never raises."""
    return sink if sink.isolated else IsolatedSink(sink)
