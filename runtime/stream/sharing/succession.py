"""Order of a stream's verdicts, whoever judges its frames."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from runtime.stream.capture.handover import Handover, Ticket
from runtime.stream.rules import Debounce, Debouncer
from runtime.stream.verdict import Decision, Status


class Succession:
    """The frames of one stream that are being judged, in the order in which they were taken.

    Verdicts go out in that order, though several workers judge at the same time: a worker that is
    ahead leaves its frame's verdict to whoever speaks before it, and judges on. A frame about
    which the watchdog spoke holds no later one up.

    Args:
        rule: holds lone rejects back, over the frames in their order; None lets each out. The
            frames of a recipe have its own.
        ahead: verdicts that may be left; then who takes a frame waits.
        done: called with each frame whose verdict went out, by who spoke.
    """

    def __init__(
        self,
        rule: Debounce | None = None,
        *,
        ahead: int = 1,
        done: Callable[[Ticket], None] = lambda _: None,
    ) -> None:
        self._debouncer = Debouncer(rule)
        self._ahead = ahead
        self._done = done
        self._taking = threading.Lock()
        self._changed = threading.Condition()
        self._waiting: deque[Ticket] = deque()
        self._passed: set[Ticket] = set()
        self._left: dict[Ticket, Callable[[], None]] = {}
        self._speaking = False

    def take(self, handover: Handover) -> Ticket | None:
        """Take the next frame, waited for; None at the end."""
        with self._taking:
            with self._changed:
                while len(self._left) >= self._ahead:
                    self._changed.wait()
            ticket = handover.take()
            if ticket is not None:
                with self._changed:
                    self._waiting.append(ticket)
            return ticket

    def say(self, ticket: Ticket, speak: Callable[[], None]) -> None:
        """Speak about a frame once all before it have their verdict, one at a time.

        That is now, or later and by another thread: the call waits for nobody.
        """
        with self._changed:
            self._left[ticket] = speak
        self._speak_on()

    def interject(self, speak: Callable[[], None]) -> None:
        """Speak out of turn, as at a deadline, but not into what another says."""
        with self._changed:
            while self._speaking:
                self._changed.wait()
            speak()
        self._speak_on()

    def abandon(self, ticket: Ticket, give_up: Callable[[], None]) -> None:
        """Be done with a frame about which nothing was said or left: give it up."""
        with self._changed:
            if ticket in self._left or not self._is_open(ticket):
                return
        try:
            give_up()
        finally:
            self._leave(ticket)
        self._speak_on()

    def end(self, give_up: Callable[[Ticket], None]) -> None:
        """Say what was left, in order, and give up the frames that are still being judged."""
        with self._changed:
            open_frames = [*self._passed, *self._waiting]
        for ticket in open_frames:
            with self._changed:
                speak = self._left.pop(ticket, None)
            if speak is None:
                self.interject(partial(give_up, ticket))
            else:
                self.interject(speak)
                self._leave(ticket)

    def debounced(self, ticket: Ticket, decision: Decision) -> Decision:
        """Note a frame's answer among the recent ones, in its turn, and hold a lone reject back.

        One that later frames have passed stands among them as no reject already.
        """
        return decision if ticket in self._passed else self._noted(ticket, decision)

    def _speak_on(self) -> None:
        """Say all that was left and whose turn it is, unless another thread is at it.

        A frame about which speaking failed stays open, for `abandon` or `end`.
        """
        while True:
            with self._changed:
                ticket = None if self._speaking else self._next()
                if ticket is None:
                    return
                speak = self._left.pop(ticket)
                self._speaking = True
            try:
                speak()
            finally:
                with self._changed:
                    self._speaking = False
                    self._changed.notify_all()
            self._leave(ticket)

    def _next(self) -> Ticket | None:
        for ticket in self._left:
            if ticket not in self._waiting:  # passed, or never taken from here
                return ticket
        while self._left:
            first = self._waiting[0]
            if first in self._left:
                return first
            if not first.settled:
                return None
            self._waiting.popleft()
            self._passed.add(first)
            self._noted(first, Decision(Status.LATE))
        return None

    def _leave(self, ticket: Ticket) -> None:
        with self._changed:
            was_open = self._is_open(ticket)
            self._passed.discard(ticket)
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            self._changed.notify_all()
        if was_open:
            self._done(ticket)

    def _is_open(self, ticket: Ticket) -> bool:
        return ticket in self._passed or ticket in self._waiting

    def _noted(self, ticket: Ticket, decision: Decision) -> Decision:
        debouncer = self._debouncer if ticket.judges is None else ticket.judges.debouncer
        return debouncer.note(decision)
