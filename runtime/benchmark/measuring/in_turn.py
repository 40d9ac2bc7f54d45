"""Queries that follow one another: single-stream, multi-stream, offline; and random arrivals."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.measuring.arrivals import lateness, poisson_arrivals
from runtime.benchmark.measuring.turn import Turn, stacked
from runtime.benchmark.sides import TOTAL, Side
from runtime.stream.verdict import Status

SETTLE_SECONDS = 0.03
SETTLE_QUERIES = 2
"""Minimum time and number of uncounted queries at the start of a side's turn.

The side before left its weights in the caches, and its threads spin on for milliseconds and take
the cores from this one: uncounted, two threads on two cores measured up to a third slower than
alone. Sleeping instead would not do: a line that streams never lets its caches and clocks rest.
"""

WAIT = "wait"
"""Step from a frame's arrival to where it is looked at."""

FIRST_ARRIVALS = 10
"""Uncounted arrivals at the start of a turn, until the queue has the length that it keeps."""

FIRST_FRAMES = 5
"""Uncounted frames at the start of a turn at cadence: the side before has just left the cores."""

LEAD_NS = 2_000_000
"""Time from the making of a schedule to its first arrival."""

Frames = Sequence[NDArray[np.generic]]


class InTurn:
    """Puts the next query when the one before is answered.

    Args:
        side: open.
        frames: as the camera delivers them, at least one.
        together: frames per query.
    """

    def __init__(self, side: Side, frames: Frames, together: int = 1) -> None:
        self._side = side
        self._frames = frames
        self._together = together

    def settle(self) -> None:
        """Judge for a moment."""
        end = time.perf_counter() + SETTLE_SECONDS
        self.ask(SETTLE_QUERIES, 0)
        while time.perf_counter() < end:
            self.ask(1, 0)

    def ask(self, queries: int, turn: int) -> Turn:
        """Put so many queries, one after another."""
        starts, answers, faults = [], [], 0
        together, frames, side = self._together, self._frames, self._side
        number = turn * queries * together
        clock = time.perf_counter_ns
        begin = clock()
        for _ in range(queries):
            starts.append(clock())
            if together == 1:
                status, times = side.judge(frames[number % len(frames)])
                faults += status is Status.FAULT
            else:
                failed, times = side.judge_together(
                    [frames[(number + place) % len(frames)] for place in range(together)]
                )
                faults += failed
            answers.append(times)
            number += together
        wall = clock() - begin
        times_by_step = stacked(answers)
        return Turn(
            times_by_step,
            np.array(starts, np.int64),
            wall,
            faults,
            busy_ns=int(times_by_step[TOTAL].sum()),
            harness_ns=wall - sum(int(v.sum()) for k, v in times_by_step.items() if k != TOTAL),
        )

    def close(self) -> None:
        """Nothing runs beside."""


class AtRandom:
    """Puts queries at moments that do not depend on the answers, drawn from a seed.

    A query that arrives while another is judged waits, and its wait is part of its latency.

    Args:
        side: open.
        frames: as the camera delivers them.
        rate_hz: arrivals per second on average.
        seed: of the schedule.
        clock: nanoseconds.
        sleep: seconds.
    """

    def __init__(
        self,
        side: Side,
        frames: Frames,
        rate_hz: float,
        seed: int,
        *,
        clock: Callable[[], int] = time.perf_counter_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._side = side
        self._frames = frames
        self._rate_hz = rate_hz
        self._seed = seed
        self._clock = clock
        self._sleep = sleep

    def settle(self) -> None:
        """Nothing: the first arrivals of a turn are not counted."""

    def ask(self, queries: int, turn: int) -> Turn:
        """Put the queries of one schedule."""
        first = FIRST_ARRIVALS
        clock, frames = self._clock, self._frames
        offsets = poisson_arrivals(self._rate_hz, first + queries, seed=self._seed, turn=turn)
        due = clock() + LEAD_NS + offsets
        starts, ends, answers, faults = [], [], [], 0
        for number, moment in enumerate(due.tolist()):
            wait = moment - clock()
            if wait > 0:
                self._sleep(wait / 1e9)
            start = clock()
            status, times = self._side.judge(frames[number % len(frames)])
            end = clock()
            starts.append(start)
            ends.append(end)
            faults += status is Status.FAULT
            answers.append({WAIT: start - moment, **times, TOTAL: end - moment})
        begun, answered = np.array(starts, np.int64), np.array(ends, np.int64)
        late = lateness(due, begun, answered)[first:]
        return Turn(
            stacked(answers[first:]),
            due[first:],
            int(answered[-1] - due[first]),
            faults,
            late=late,
            busy_ns=int((answered - begun)[first:].sum()),
        )

    def close(self) -> None:
        """Nothing runs beside."""
