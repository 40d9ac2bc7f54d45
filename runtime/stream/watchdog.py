"""Sees to it that a verdict is out by its deadline, whatever the model is doing."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from runtime.realtime import take_precedence
from runtime.stream.capture.handover import Ticket

LEAD_NS = 500_000
"""The watchdog speaks this much before the deadline, for its thread needs a moment to wake …"""

LEAD_SHARE = 0.02
"""… but not more than this share of the limit."""


class Watchdog:
    """Calls back for every watched frame that nobody settled in time.

    Args:
        limit_ns: the total budget in nanoseconds.
        expire: is called from the watchdog's thread, with a frame whose deadline is there. It
            has to claim the frame: the judge may have been quicker by then.
    """

    def __init__(self, limit_ns: int, expire: Callable[[Ticket], None]) -> None:
        self._lead_ns = min(LEAD_NS, round(LEAD_SHARE * limit_ns))
        self._expire = expire
        self._pending: deque[Ticket] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def watch(self, ticket: Ticket) -> None:
        """Add a frame. Frames come in the order of their deadlines, unless the limit is changed."""
        due_ns = ticket.deadline_ns or 0
        with self._changed:
            # Settled frames are let go of here, not at their deadline: they hold images.
            while self._pending and self._pending[0].settled:
                self._pending.popleft()
            place = len(self._pending)
            while place and (self._pending[place - 1].deadline_ns or 0) > due_ns:
                place -= 1
            self._pending.insert(place, ticket)
            if place == 0:
                self._changed.notify()

    def close(self) -> None:
        """End the thread. Frames still pending get no call."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        take_precedence()
        while (ticket := self._next_due()) is not None:
            self._expire(ticket)

    def _next_due(self) -> Ticket | None:
        """Wait for the next deadline of a frame that is not settled; None when closed."""
        with self._changed:
            while not self._closed:
                while self._pending and self._pending[0].settled:
                    self._pending.popleft()
                if not self._pending:
                    self._changed.wait()
                    continue
                deadline_ns = self._pending[0].deadline_ns or 0
                left_ns = deadline_ns - self._lead_ns - time.monotonic_ns()
                if left_ns <= 0:
                    return self._pending.popleft()
                self._changed.wait(left_ns / 1e9)
            return None
