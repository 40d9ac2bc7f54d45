"""Order of a stream's verdicts, whoever judges its frames."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runtime.stream.handover import Handover, Ticket
from runtime.stream.rules import Debounce, Debouncer
from runtime.stream.verdict import Decision, Status


class Succession:
    """The frames of one stream that are being judged, in the order in which they were taken.

    Verdicts go out in that order, though several workers judge at the same time: each waits for
    its turn to speak. A frame about which the watchdog spoke holds no later one up.

    Args:
        rule: holds lone rejects back, over the frames in their order; None lets each out. The
            frames of a recipe have its own.
    """

    def __init__(self, rule: Debounce | None = None) -> None:
        self._debouncer = Debouncer(rule)
        self._taking = threading.Lock()
        self._changed = threading.Condition()
        self._waiting: deque[Ticket] = deque()
        self._passed: set[Ticket] = set()
        self._speaking: Ticket | None = None

    @property
    def open(self) -> list[Ticket]:
        """Return the frames that were taken, and not yet left."""
        with self._changed:
            return [*self._passed, *self._waiting]

    def take(self, handover: Handover) -> Ticket | None:
        """Take the next frame, waited for; None at the end."""
        with self._taking:
            ticket = handover.take()
            if ticket is not None:
                with self._changed:
                    self._waiting.append(ticket)
            return ticket

    @contextmanager
    def turn(self, ticket: Ticket) -> Iterator[None]:
        """Wait until all frames before this one have their verdict; then speak, alone."""
        with self._changed:
            while not self._may_speak(ticket):
                self._changed.wait()
            self._speaking = ticket
        try:
            yield
        finally:
            with self._changed:
                self._speaking = None
                self._changed.notify_all()

    def debounced(self, ticket: Ticket, decision: Decision) -> Decision:
        """Note a frame's answer among the recent ones, in its turn, and hold a lone reject back.

        One that later frames have passed stands among them as no reject already.
        """
        return decision if ticket in self._passed else self._noted(ticket, decision)

    def leave(self, ticket: Ticket) -> None:
        """Be done with a frame."""
        with self._changed:
            self._passed.discard(ticket)
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            self._changed.notify_all()

    def interject(self, speak: Callable[[], None]) -> None:
        """Speak out of turn, as at a deadline, but not into what another says."""
        with self._changed:
            while self._speaking is not None:
                self._changed.wait()
            speak()
            self._changed.notify_all()

    def _may_speak(self, ticket: Ticket) -> bool:
        if self._speaking is not None:
            return False
        while ticket in self._waiting and self._waiting[0] is not ticket:
            if not self._waiting[0].settled:
                return False
            passed = self._waiting.popleft()
            self._passed.add(passed)
            self._noted(passed, Decision(Status.LATE))
        return True

    def _noted(self, ticket: Ticket, decision: Decision) -> Decision:
        debouncer = self._debouncer if ticket.judges is None else ticket.judges.debouncer
        return debouncer.note(decision)
