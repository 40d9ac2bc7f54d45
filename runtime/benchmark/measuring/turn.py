"""One turn of a side: what its queries took; and who puts them to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.facts.side import LoadGenFigures

QueryTimes = dict[str, NDArray[np.int64]]
"""Nanoseconds of each query by step."""


@dataclass(frozen=True)
class Turn:
    """The counted queries of one turn.

    Args:
        times: by step, `total` among them.
        starts: monotonic nanoseconds when each query began: at its arrival where there is a
            schedule.
        wall_ns: from the first query's begin to the last one's answer.
        faults: queries whose answer was no answer.
        late: nanoseconds of each arrival behind its schedule; None without a schedule.
        busy_ns: what the side judged of the wall time; None where frames overlap.
        dropped: frames that were lost before they were judged.
        harness_ns: of the wall time, what belongs to no step; None with a schedule, whose waits are
            not the benchmark's own work.
        loadgen: what LoadGen told, where it issued the queries.
    """

    times: QueryTimes
    starts: NDArray[np.int64]
    wall_ns: int
    faults: int = 0
    late: NDArray[np.int64] | None = None
    busy_ns: int | None = None
    dropped: int = 0
    harness_ns: int | None = None
    loadgen: LoadGenFigures | None = None


class Asker(Protocol):
    """Puts a scenario's queries to one side."""

    def settle(self) -> None:
        """Judge what is not counted at the start of a turn."""

    def ask(self, queries: int, turn: int) -> Turn:
        """Put so many queries, one turn's, to the side."""

    def close(self) -> None:
        """End what runs beside; the side is the caller's to close."""


def stacked(answers: list[dict[str, int]]) -> QueryTimes:
    """Return the times by step, of the steps that each query has: a fault has fewer."""
    shared = set.intersection(*(set(entry) for entry in answers))
    return {
        step: np.array([entry[step] for entry in answers], np.int64)
        for step in answers[0]
        if step in shared
    }
