"""Record of a side beside its times, and its place in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.facts.scenario import ScenarioFacts
from runtime.benchmark.facts.side import LoadGenFigures, SideAnswers, WarmUp
from runtime.benchmark.measuring.arrivals import late_limit_ns
from runtime.benchmark.measuring.figures import (
    bound_share,
    drift_of,
    jitter_of,
    outliers_of,
    schedule_of,
    throughput_of,
)
from runtime.benchmark.measuring.loadgen import joined
from runtime.benchmark.measuring.turn import Turn
from runtime.benchmark.sides import TOTAL


@dataclass(frozen=True)
class SideRecord:
    """Record of a side beside its times.

    Args:
        starts: nanoseconds since the measurement began, rounds × queries.
        turn_ns: what the counted queries of each turn took, rounds.
        warm_up: its uncounted queries.
        answers: what it said.
        late: nanoseconds behind the schedule, rounds × queries; None without one.
        busy: share of the time that the side judged; None where frames overlap.
        dropped: frames that were lost before they were judged.
        harness_ns: per turn; None where the benchmark's own work is not known.
        loadgen: what LoadGen told, where it issued the queries.
    """

    starts: NDArray[np.int64]
    turn_ns: NDArray[np.int64]
    warm_up: WarmUp
    answers: SideAnswers
    late: NDArray[np.int64] | None = None
    busy: float | None = None
    dropped: int = 0
    harness_ns: NDArray[np.int64] | None = None
    loadgen: LoadGenFigures | None = None

    @classmethod
    def of(
        cls, turns: Sequence[Turn], first_ns: int, warm_up: WarmUp, answers: SideAnswers
    ) -> SideRecord:
        """Join what was seen in each turn.

        Args:
            turns: in order, at least one.
            first_ns: when the measurement began.
        """
        walls = np.array([turn.wall_ns for turn in turns], np.int64)
        late = [turn.late for turn in turns if turn.late is not None]
        busy = [turn.busy_ns for turn in turns if turn.busy_ns is not None]
        own = [turn.harness_ns for turn in turns if turn.harness_ns is not None]
        told = [turn.loadgen for turn in turns if turn.loadgen is not None]
        return cls(
            starts=np.stack([turn.starts for turn in turns]) - first_ns,
            turn_ns=walls,
            warm_up=warm_up,
            answers=answers,
            late=np.stack(late) if late else None,
            busy=sum(busy) / max(1, int(walls.sum())) if late and busy else None,
            dropped=sum(turn.dropped for turn in turns),
            harness_ns=np.array(own, np.int64) if own else None,
            loadgen=joined(told) if told else None,
        )


def told_of(
    times: Mapping[str, NDArray[np.int64]], record: SideRecord | None, scenario: ScenarioFacts
) -> dict[str, Any]:
    """Compute what the report tells of a side beside its percentiles, by field."""
    totals = times[TOTAL]
    told: dict[str, Any] = {"drift": drift_of(totals), "outliers": outliers_of(totals)}
    if scenario.bound_ms is not None:
        told["bound"] = bound_share(totals, scenario.bound_ms)
    if record is None:
        return told | {"jitter": jitter_of(totals, None)}
    ends = record.starts + totals
    told |= {
        "jitter": jitter_of(totals, ends if scenario.kind == "cadence" else None),
        "warm_up": record.warm_up,
        "answers": record.answers,
    }
    if record.late is not None:
        limit = late_limit_ns(scenario.rate_hz or 1.0)
        told["schedule"] = schedule_of(record.late, limit, dropped=record.dropped, busy=record.busy)
    else:
        told["throughput"] = throughput_of(record.turn_ns, scenario.block)
    if record.harness_ns is not None:
        per_frame = float(np.median(record.harness_ns)) / scenario.block
        told["harness_us"] = round(per_frame / 1e3, 3)
    if record.loadgen is not None:
        told["loadgen"] = record.loadgen
    return told
