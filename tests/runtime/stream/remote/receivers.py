"""What tests of remote sinks share: verdicts, a carrier in memory, and sinks to close."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence

from runtime.stream.sinks.remote.carrier import Carrier, Undelivered
from runtime.stream.sinks.remote.spool import SpoolRecord
from runtime.stream.verdict import Decision, Status, Verdict
from tests.waiting import PATIENCE


def verdict(number: int) -> Verdict:
    return Verdict(number, 0, 0, Decision(Status.PASS, "good", 0.9), {"total": 1})


def frames(bodies: Sequence[bytes]) -> list[int]:
    """Frame numbers of messages, in order of arrival, each once."""
    return list(dict.fromkeys(json.loads(body)["frame"] for body in bodies))


class Gate:
    """Lets the tries of a delivery through when the test says so."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self._tries = threading.Semaphore(0)

    def wait(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._tries.acquire(timeout=PATIENCE)

    def let_through(self, tries: int = 1) -> None:
        for _ in range(tries):
            self._tries.release()


class MemoryCarrier(Carrier):
    """A receiver in memory that can be lost, and that can have some of a batch alone."""

    name = "memory"

    def __init__(self) -> None:
        self.received: list[str] = []
        self.lost = threading.Event()
        self.failures: list[Exception] = []
        self.closed = threading.Event()

    def connect(self) -> None:
        if self.lost.is_set():
            raise Undelivered("nobody is there")

    def send(self, records: Sequence[SpoolRecord]) -> None:
        if self.failures:
            error = self.failures.pop(0)
            if isinstance(error, Undelivered):
                self.received += [record.id for record in records[: error.delivered]]
            raise error
        self.received += [record.id for record in records]

    def close(self) -> None:
        self.closed.set()
