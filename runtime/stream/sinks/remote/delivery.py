"""The thread that brings verdicts from a spool to a receiver, in order, until it has them."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from random import Random

from runtime.camera.live.backoff import pauses
from runtime.progress import Say
from runtime.stream.sinks.remote.carrier import Carrier, RefusedVerdict, Undelivered
from runtime.stream.sinks.remote.spool import Spool, SpoolRecord

LOG = logging.getLogger("edgecl.sinks")

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
"""Longest pause between two tries, in seconds, to which a spread is added."""

MOST_REFUSALS = 3
"""Tries of a verdict that the receiver refuses; then it is dropped."""

IDLE_S = 1.0
"""Time after which a connection without verdicts is looked at, in seconds."""

STOP_S = 0.5
"""Time that a delivery which is told to stop gets to put down what it does, in seconds."""


class SpoolDelivery:
    """Delivers what waits in a spool, from a thread of its own.

    A failed try is repeated after pauses that double, each up to a quarter longer or shorter, so
    that boxes behind one switch do not come back in step. What the receiver refuses is tried
    `MOST_REFUSALS` times, dropped and counted.

    Args:
        report: is told when the receiver is lost, when it is back, and of refusals.
        random: of the pauses.
        wait: lets that many seconds pass, or less where the delivery is to finish; by default it
            sleeps.

    Attributes:
        delivered, refused: verdicts.
        problem: what went wrong last; empty where nothing did.
    """

    def __init__(
        self,
        spool: Spool,
        carrier: Carrier,
        *,
        report: Say = lambda text: None,
        random: Random | None = None,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self.delivered = 0
        self.refused = 0
        self.problem = ""
        self._spool = spool
        self._carrier = carrier
        self._report = report
        self._random = random or Random()
        self._finishing = threading.Event()
        self._stopped = threading.Event()
        self._wait = wait or self._finishing.wait
        self._woken = threading.Event()
        self._down = False
        self._refusing: tuple[str, int] = ("", 0)
        self._thread = threading.Thread(
            target=self._run, name=f"delivery {carrier.name}", daemon=True
        )

    def start(self, problem: str = "") -> None:
        """Begin; `problem` is why the receiver is not there, where that was told already."""
        self.problem = problem
        self._down = bool(problem)
        self._thread.start()

    def wake(self) -> None:
        """Tell that the spool has something new."""
        self._woken.set()

    def finish(self, timeout_s: float) -> None:
        """Deliver what waits, for that long and while the receiver takes it, and end."""
        self._finishing.set()
        self._woken.set()
        self._thread.join(timeout_s)
        self._stopped.set()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        try:
            self._deliver_on()
        finally:
            self._carrier.close()

    def _deliver_on(self) -> None:
        pause = self._pauses()
        while not self._stopped.is_set():
            finishing = self._finishing.is_set()  # before the look: nothing comes after it
            self._woken.clear()
            try:
                sent = self._deliver_some()
            except Exception as error:  # a receiver's library may raise anything
                if isinstance(error, Undelivered) and error.delivered:
                    pause = self._pauses()
                self._note(error)
                if finishing or self._stopped.is_set():
                    return
                self._wait(next(pause))
                continue
            if self._down:
                self._note_return()
            pause = self._pauses()
            if not sent and finishing:
                return
            if not sent:
                self._woken.wait(IDLE_S)

    def _deliver_some(self) -> int:
        """Deliver the oldest verdicts; return how many were settled."""
        self._carrier.connect()
        records = self._spool.peek(self._carrier.at_once)
        if not records:
            return 0
        try:
            self._carrier.send(records)
        except Undelivered as error:
            self._settle(records[: error.delivered])
            if isinstance(error, RefusedVerdict) and self._drop_refused(
                records[error.delivered], error
            ):
                return error.delivered + 1
            raise
        self._settle(records)
        return len(records)

    def _settle(self, records: list[SpoolRecord]) -> None:
        self._spool.acknowledge(records)
        self.delivered += len(records)

    def _drop_refused(self, record: SpoolRecord, error: RefusedVerdict) -> bool:
        """Count a refusal; at the last one drop the verdict, and return True."""
        known, tries = self._refusing
        tries = tries + 1 if record.id == known else 1
        self._refusing = (record.id, tries)
        if tries < MOST_REFUSALS:
            return False
        self._spool.acknowledge([record])
        self._refusing = ("", 0)
        self.refused += 1
        problem = f"{error}: a verdict was refused {tries} times and dropped"
        if problem != self.problem:  # a receiver that refuses all would fill the terminal
            self._report(f"sink {self._carrier.name}: {problem}")
        self.problem = problem
        return True

    def _note(self, error: Exception) -> None:
        told = isinstance(error, (Undelivered, sqlite3.Error))
        problem = str(error) if told else f"{type(error).__name__}: {error}"
        problem = problem.splitlines()[0][:300] if problem else type(error).__name__
        LOG.info("sink %s: %s", self._carrier.name, problem)
        if isinstance(error, RefusedVerdict):
            return  # told when it is dropped
        self.problem = problem
        if not self._down:
            self._report(f"sink {self._carrier.name}: {problem}; verdicts wait in the spool")
        self._down = True

    def _note_return(self) -> None:
        self._down = False
        self._report(f"sink {self._carrier.name}: delivers again")

    def _pauses(self) -> Iterator[float]:
        return pauses(self._random, first=FIRST_PAUSE_S, longest=LONGEST_PAUSE_S)
