"""Times of a side relative to another of its report, and how well these are known.

Pure functions on nanoseconds. Everything is on the scale of logarithms, where a ratio is a
difference and the variances of several ratios add up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.statistics import Z95, count_needed, quantile

GROUPS = 64
"""Most groups of turns that the bootstrap draws from."""

PARTS = 8
"""Consecutive parts of a run whose medians show how much it wandered."""

LEAST_GROUPS = PARTS
"""Fewest turns from which an interval is told."""

RESAMPLES = 250
"""Bootstrap draws. Their spread alone is used, which they tell to 5 %."""

BINS = 4096
"""Order statistics that stand for a longer row of times: a rank is off by at most 1 in 4096."""

TurnTimes = NDArray[np.int64]
"""Nanoseconds in the order of measurement."""


MEDIAN = 0.5


@dataclass(frozen=True)
class Relative:
    """Logarithm of a quantile's ratio to that of another side.

    Args:
        log: of the ratio; of the quantile in nanoseconds where there is no other side.
        variance: of it.
        groups: number of independent groups of turns.
    """

    log: float
    variance: float
    groups: int


def relative(
    times: TurnTimes,
    anchor: TurnTimes | None,
    shares: Sequence[float],
    *,
    rounds: int,
    seed: int = 0,
) -> list[Relative] | None:
    """Ratios of quantiles with their variances.

    Medians are compared turn by turn: the ratio is the median over the rounds of the side's
    median in its turn over the other's in the same round. On a busy machine a frame either is
    interrupted or is not. Where about half of all frames are, the median of all is any value
    between the two kinds, and so is a ratio of two such medians; within a round both sides see
    the same. Other quantiles are those of all frames.

    Groups of neighbouring turns are drawn with replacement, the same ones for both sides. Where
    the run's eight parts scatter more than these draws explain, the run wandered more slowly than a
    group lasts, and that larger variance is taken.

    Args:
        times: of the side.
        anchor: of the side that took turns with it; None for none.
        shares: 0.5 for the median.
        rounds: in which the two took turns.
        seed: of the draws.

    Returns:
        One per share; None for fewer than `LEAST_GROUPS` turns.
    """
    rows = [times] if anchor is None else [times, anchor]
    turns = min(rounds, *(len(row) for row in rows))
    if turns < LEAST_GROUPS:
        return None
    by_turn = _log_medians(rows, turns)
    groups = _independent_groups(by_turn)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(groups, np.full(groups, 1 / groups), RESAMPLES).astype(np.float64)
    at_median = float(_drawn_quantiles(by_turn, drawn, (MEDIAN,)).var(ddof=1))
    parts = [np.median(part) for part in np.array_split(by_turn, PARTS)]
    between_parts = float(np.var(parts, ddof=1)) / PARTS
    logs, variances = _of_all_frames(rows, drawn, shares)
    if anchor is not None and MEDIAN in shares:
        place = shares.index(MEDIAN)
        logs[place], variances[place] = float(np.median(by_turn)), at_median
    return [
        Relative(log, max(variance, between_parts, _between_parts(rows, share)), groups)
        for log, variance, share in zip(logs, variances, shares, strict=True)
    ]


def student(freedom: int) -> float:
    """Student's quantile that leaves 2.5 % above it; within 0.1 % from 7 degrees of freedom on."""
    z = Z95
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _independent_groups(by_turn: NDArray[np.float64]) -> int:
    """Number of groups of turns, each twice as long as the correlation between turns lasts."""
    turns = len(by_turn)
    values = by_turn - by_turn.mean()
    power = float(values @ values)
    lasting = 1.0
    if power > 0:
        for lag in range(1, turns // 4):
            correlation = float(values[:-lag] @ values[lag:]) / power
            if correlation < Z95 / math.sqrt(turns):
                break
            lasting += 2 * correlation
    length = 1 if lasting == 1.0 else math.ceil(2 * lasting)
    return max(LEAST_GROUPS, min(GROUPS, turns // length))


def _log_medians(rows: Sequence[TurnTimes], turns: int) -> NDArray[np.float64]:
    """Logarithm of the ratio of medians in each turn."""
    logs = [np.log(np.maximum(_turn_medians(row, turns), 1.0)) for row in rows]
    return logs[0] if len(logs) == 1 else logs[0] - logs[1]


def _turn_medians(row: TurnTimes, turns: int) -> NDArray[np.float64]:
    if len(row) % turns == 0:
        return np.asarray(np.median(row.reshape(turns, -1), axis=1), np.float64)
    return np.array([np.median(turn) for turn in np.array_split(row, turns)])


def _of_all_frames(
    rows: Sequence[TurnTimes], drawn: NDArray[np.float64], shares: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Logarithms of the ratios of quantiles of all frames, and their variances over the draws."""
    ordered = [np.sort(row) for row in rows]
    logs = np.log([[max(1.0, quantile(row, share)) for share in shares] for row in ordered])
    spread = [np.log(np.maximum(_drawn_quantiles(row, drawn, shares), 1.0)) for row in rows]
    if len(rows) == 1:
        return logs[0].tolist(), spread[0].var(axis=0, ddof=1).tolist()
    return (logs[0] - logs[1]).tolist(), (spread[0] - spread[1]).var(axis=0, ddof=1).tolist()


def _between_parts(rows: Sequence[TurnTimes], share: float) -> float:
    """Variance of a ratio of quantiles by the scatter of the run's parts; 0 for short parts."""
    if share == MEDIAN or min(len(row) for row in rows) < PARTS * count_needed(share):
        return 0.0
    logs = [
        np.log([max(1.0, quantile(np.sort(part), share)) for part in np.array_split(row, PARTS)])
        for row in rows
    ]
    spread = logs[0] if len(logs) == 1 else logs[0] - logs[1]
    return float(spread.var(ddof=1)) / PARTS


def _drawn_quantiles(
    row: NDArray[np.number[Any]], drawn: NDArray[np.float64], shares: Sequence[float]
) -> NDArray[np.float64]:
    """Quantiles in each draw: draws × shares.

    Args:
        row: values in the order of measurement.
        drawn: how often each group of turns was drawn: draws × groups.
    """
    ordered = np.sort(row)
    bins = min(len(ordered), BINS)
    edges = ordered[np.arange(1, bins + 1) * len(ordered) // bins - 1]
    counts = np.stack(
        [
            np.bincount(np.searchsorted(edges, part), minlength=bins)
            for part in np.array_split(row, drawn.shape[1])
        ]
    ).astype(np.float64)
    below = np.cumsum(drawn @ counts, axis=1)
    found = np.empty((len(drawn), len(shares)))
    for column, share in enumerate(shares):
        rank = np.ceil(share * below[:, -1:] - 1e-9)
        found[:, column] = edges[np.argmax(below >= rank, axis=1)]
    return found
