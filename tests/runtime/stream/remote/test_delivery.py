"""From the spool to a receiver: order, pauses, refusals, ends."""

from __future__ import annotations

import sqlite3
import threading
from random import Random

import pytest

from runtime.stream.sinks.base import StreamFacts
from runtime.stream.sinks.remote.carrier import RefusedVerdict, Undelivered
from runtime.stream.sinks.remote.delivery import MOST_REFUSALS, SpoolDelivery
from runtime.stream.sinks.remote.spool import Spool, SpoolLimit
from runtime.stream.sinks.remote.spooled import SpooledSink
from tests.runtime.stream.remote.receivers import Gate, MemoryCarrier, verdict
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def quick_writes(monkeypatch):
    monkeypatch.setattr("runtime.stream.sinks.remote.spooled.PERIOD_S", 0.001)
    monkeypatch.setattr("runtime.stream.sinks.remote.spooled.RETRY_S", 0.001)


class Line:
    """A sink before a receiver in memory."""

    def __init__(self, path, limit: SpoolLimit | None = None, capacity: int = 10_000) -> None:
        self.said: list[str] = []
        self.gate = Gate()
        self.carrier = MemoryCarrier()
        self.spool = Spool(path / "s.sqlite", limit)
        self.delivery = SpoolDelivery(
            self.spool,
            self.carrier,
            report=self.said.append,
            random=Random(1),
            wait=self.gate.wait,
        )
        self.sink = SpooledSink(
            self.spool, self.carrier, self.delivery, StreamFacts("run"), capacity=capacity
        )

    def start(self) -> Line:
        self.delivery.start()
        return self

    def emit(self, first: int, last: int) -> None:
        for number in range(first, last):
            self.sink.emit(verdict(number))

    def close(self) -> None:
        self.gate.let_through(100)
        self.sink.close()
        self.sink.close()


def named(first: int, last: int) -> list[str]:
    return [f"run/{number}" for number in range(first, last)]


def test_every_verdict_is_delivered_once_in_order(tmp_path):
    line = Line(tmp_path).start()
    line.emit(0, 300)
    wait_until(lambda: line.sink.delivered == 300, "300 verdicts")
    line.close()
    assert line.carrier.received == named(0, 300)
    assert (line.sink.lost, line.sink.waiting, line.sink.problem) == (0, 0, "")
    assert line.said == []
    assert line.carrier.closed.is_set()


def test_a_receiver_that_was_lost_gets_what_waited_first(tmp_path):
    line = Line(tmp_path)
    line.carrier.lost.set()
    line.start()
    line.emit(0, 40)
    line.gate.let_through(9)
    wait_until(lambda: len(line.gate.pauses) == 10, "ten tries")
    line.carrier.lost.clear()
    line.emit(40, 50)
    line.gate.let_through()
    wait_until(lambda: line.sink.delivered == 50, "50 verdicts")
    line.close()
    assert line.carrier.received == named(0, 50)
    assert line.said == [
        "sink memory: nobody is there; verdicts wait in the spool",
        "sink memory: delivers again",
    ]
    pauses = line.gate.pauses
    assert all(0.75 * 2**n <= pause / 0.5 <= 1.25 * 2**n for n, pause in enumerate(pauses[:6]))
    assert all(22.5 <= pause <= 37.5 for pause in pauses[6:])
    assert len({round(pause / 30, 6) for pause in pauses[6:]}) > 1, "the pauses have no spread"


def test_part_of_a_batch_is_not_sent_again(tmp_path):
    line = Line(tmp_path)
    line.carrier.failures = [Undelivered("cut", delivered=3), Undelivered("cut", delivered=0)]
    line.emit(0, 10)
    wait_until(lambda: line.spool.waiting == 10, "10 in the spool")
    line.start()
    line.gate.let_through(2)
    wait_until(lambda: line.sink.delivered == 10, "10 verdicts")
    line.close()
    assert line.carrier.received == named(0, 10)


def test_what_is_refused_is_dropped_after_some_tries_and_counted(tmp_path):
    line = Line(tmp_path)
    line.carrier.failures = [
        RefusedVerdict("HTTP 400", delivered=2 if first else 0)
        for first in (True, *[False] * (MOST_REFUSALS - 1))
    ]
    line.emit(0, 6)
    wait_until(lambda: line.spool.waiting == 6, "6 in the spool")
    line.start()
    line.gate.let_through(MOST_REFUSALS)
    wait_until(lambda: line.sink.delivered == 5, "5 verdicts")
    line.close()
    assert line.carrier.received == named(0, 2) + named(3, 6)
    assert (line.sink.lost, line.sink.waiting) == (1, 0)
    assert line.said == ["sink memory: HTTP 400: a verdict was refused 3 times and dropped"]


def test_what_a_receivers_library_raises_ends_nothing(tmp_path):
    line = Line(tmp_path)
    line.carrier.failures = [RuntimeError("odd"), sqlite3.OperationalError("disk I/O error")]
    line.emit(0, 5)
    line.start()
    line.gate.let_through(2)
    wait_until(lambda: line.sink.delivered == 5, "5 verdicts")
    line.close()
    assert line.carrier.received == named(0, 5)
    assert line.said[0].startswith("sink memory: RuntimeError: odd")


def test_the_next_start_goes_on_where_the_last_one_ended(tmp_path):
    first = Line(tmp_path)
    first.carrier.lost.set()
    first.start()
    first.emit(0, 20)
    first.close()
    assert (first.sink.waiting, first.sink.lost) == (20, 0)
    assert first.sink.problem == "nobody is there"
    second = Line(tmp_path).start()
    assert second.spool.found == 20
    second.emit(20, 25)
    wait_until(lambda: second.sink.delivered == 25, "25 verdicts")
    second.close()
    assert second.carrier.received == named(0, 25)


def test_a_full_spool_drops_the_oldest_and_counts_them(tmp_path):
    line = Line(tmp_path, SpoolLimit(10, None))
    line.carrier.lost.set()
    line.start()
    line.emit(0, 35)
    wait_until(lambda: line.sink.lost == 25, "25 lost")
    line.carrier.lost.clear()
    line.close()
    assert line.carrier.received == named(25, 35)
    assert (line.sink.lost, line.sink.waiting) == (25, 0)


def test_a_disk_that_is_full_keeps_verdicts_in_memory_for_a_while(tmp_path, monkeypatch):
    line = Line(tmp_path, capacity=20).start()
    work, full, refused = line.spool.append, threading.Event(), threading.Event()
    full.set()

    def append(verdicts):
        if full.is_set():
            refused.set()
            raise sqlite3.OperationalError("database or disk is full")
        work(verdicts)

    monkeypatch.setattr(line.spool, "append", append)
    line.emit(0, 15)
    assert refused.wait(30)
    line.emit(15, 30)
    wait_until(lambda: line.sink.lost == 10, "10 lost")
    full.clear()
    wait_until(lambda: line.sink.delivered == 20, "20 verdicts")
    line.close()
    assert line.carrier.received == named(10, 30)
    assert (line.sink.lost, line.sink.problem) == (10, "database or disk is full")


def test_a_receiver_that_hangs_does_not_hold_up_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("runtime.stream.sinks.remote.spooled.CLOSE_S", 0.05)
    monkeypatch.setattr("runtime.stream.sinks.remote.delivery.STOP_S", 0.05)
    line, hang = Line(tmp_path), threading.Event()
    monkeypatch.setattr(line.carrier, "send", lambda records: hang.wait(30))
    line.start()
    line.emit(0, 3)
    wait_until(lambda: line.spool.waiting == 3, "3 in the spool")
    line.close()
    assert not hang.is_set()
    assert line.sink.waiting == 3
    hang.set()
    again = Spool(tmp_path / "s.sqlite")
    assert again.found == 3
    again.close()
