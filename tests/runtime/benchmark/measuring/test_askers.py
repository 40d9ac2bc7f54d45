"""Queries put to a side: one after another, several together, and at random, by a drawn clock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from runtime.artifact.bundle import load_bundle
from runtime.benchmark.measuring import in_turn
from runtime.benchmark.measuring.in_turn import FIRST_ARRIVALS, LEAD_NS, WAIT, AtRandom, InTurn
from runtime.benchmark.planning import Plan
from runtime.benchmark.sides import TOTAL, Side
from runtime.stream.verdict import Status

MS = 1_000_000
FRAMES = [np.full((4, 4), value, np.uint8) for value in range(3)]


class Line:
    """A side that takes so many ms per frame by its own clock, which only it and sleep move."""

    def __init__(self, *service_ms: float, sleeps_over_ms: float = 0.0) -> None:
        self.now = 0
        self.seen: list[int] = []
        self._service = service_ms
        self._over = sleeps_over_ms

    def clock(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1e9 + self._over * MS)

    def judge(self, frame: np.ndarray) -> tuple[Status, dict[str, int]]:
        taken = round(self._service[len(self.seen) % len(self._service)] * MS)
        self.seen.append(int(frame[0, 0]))
        self.now += taken
        return Status.PASS, {"infer": taken, TOTAL: taken}


def at_random(line: Any, rate_hz: float) -> AtRandom:
    return AtRandom(line, FRAMES, rate_hz, 0, clock=line.clock, sleep=line.sleep)


def test_latency_counts_from_the_arrival_whatever_came_before():
    line = Line(1.0)
    turn = at_random(line, 100.0).ask(200, 0)
    assert turn.late is not None
    assert turn.late.max() == 0  # the clock stops where nobody works: nothing comes late by itself
    assert (turn.times[TOTAL] == turn.times[WAIT] + MS).all()
    waited = turn.times[WAIT] > 0
    assert 5 < waited.sum() < 60  # a tenth of the time is busy
    assert turn.busy_ns == 200 * MS
    assert (np.diff(turn.starts) >= 0).all()
    assert turn.wall_ns >= turn.starts[-1] - turn.starts[0]


def test_what_cannot_keep_up_has_a_queue_that_grows():
    turn = at_random(Line(20.0), 100.0).ask(100, 0)
    assert turn.busy_ns is not None
    assert turn.busy_ns / turn.wall_ns > 0.8
    assert turn.times[WAIT][-20:].min() > turn.times[WAIT][:20].max()
    assert turn.late is not None
    assert turn.late.max() == 0  # a queue is not the benchmark's lateness


def test_a_sleep_that_lasts_too_long_is_the_benchmarks_own_lateness():
    turn = at_random(Line(0.1, sleeps_over_ms=3.0), 20.0).ask(50, 0)
    assert turn.late is not None
    assert np.median(turn.late) == 3 * MS


def test_the_same_turn_has_the_same_schedule_for_every_side():
    fast, slow = (at_random(Line(ms), 50.0).ask(30, 4) for ms in (1.0, 7.0))
    assert (np.diff(fast.starts) == np.diff(slow.starts)).all()
    line = Line(1.0)
    at_random(line, 50.0).ask(5, 0)
    assert len(line.seen) == FIRST_ARRIVALS + 5
    assert LEAD_NS > 0


def test_one_after_another_keeps_every_time_and_the_harness_apart(monkeypatch):
    line = Line(2.0, 4.0)
    monkeypatch.setattr(in_turn, "time", SimpleNamespace(perf_counter_ns=line.clock))
    turn = InTurn(line, FRAMES).ask(6, 1)  # type: ignore[arg-type]
    assert turn.times[TOTAL].tolist() == [2 * MS, 4 * MS] * 3
    assert turn.starts.tolist() == [0, 2 * MS, 6 * MS, 8 * MS, 12 * MS, 14 * MS]
    assert (turn.wall_ns, turn.busy_ns, turn.harness_ns) == (18 * MS, 18 * MS, 0)
    assert line.seen == [0, 1, 2, 0, 1, 2]


@pytest.fixture
def side(make_bundle):
    opened = Side(Plan("tiny", load_bundle(make_bundle()), "fp32", "onnxruntime"), threads=1)
    yield opened
    opened.close()


def test_frames_that_are_judged_together_are_prepared_each_for_itself(side, monkeypatch):
    seen = []
    infer = side.session.infer

    def spy(batch):
        seen.append(batch.copy())
        return infer(batch)

    monkeypatch.setattr(side.session, "infer", spy)
    bright, dark = np.full((40, 60), 250, np.uint8), np.full((40, 60), 5, np.uint8)
    faults, times = side.judge_together([bright, dark, bright])
    assert faults == 0
    assert set(times) == {"preprocess", "infer", "decide", TOTAL}
    assert [int(image.mean()) for image in np.concatenate(seen)] == [250, 5, 250]


def test_an_answer_of_nan_is_counted(side, monkeypatch):
    infer = side.session.infer

    def broken(batch):
        outputs = infer(batch)
        outputs.probabilities[0] = np.nan
        return outputs

    monkeypatch.setattr(side.session, "infer", broken)
    frame = np.full((40, 60), 250, np.uint8)
    assert InTurn(side, [frame]).ask(3, 0).faults == 3
    assert InTurn(side, [frame], together=4).ask(2, 0).faults == 2
