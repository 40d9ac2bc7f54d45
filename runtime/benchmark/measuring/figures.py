"""Figures of a side beside its percentiles: pure functions on nanoseconds, rounds × queries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.facts.side import (
    BoundShare,
    Jitter,
    Outlier,
    Outliers,
    Schedule,
    Throughput,
)
from runtime.statistics import quantile, quantile_interval, share_interval

SHOWN = 10
"""Outliers that are named, the slowest ones."""

FENCE = 3.0
"""Distances between the quartiles above the third one from which a query is an outlier."""


def drift_of(totals: NDArray[np.int64]) -> float | None:
    """Median of the second half of the rounds over that of the first, less 1.

    Returns:
        None with one round.
    """
    half = len(totals) // 2
    if not half:
        return None
    first, second = float(np.median(totals[:half])), float(np.median(totals[half:]))
    return second / first - 1 if first else None


def jitter_of(totals: NDArray[np.int64], ends: NDArray[np.int64] | None) -> Jitter:
    """Spread of the times, and of the moments at which answers come.

    Args:
        ends: when each query was answered; None where they follow no rate.
    """
    ordered = np.sort(totals, axis=None)
    spread = None
    if quantile_interval(ordered, 0.99) is not None:
        spread = _ms(quantile(ordered, 0.99) - quantile(ordered, 0.5))
    gaps = None if ends is None or ends.shape[1] < 2 else np.diff(ends, axis=1)
    return Jitter(
        p99_over_p50_ms=spread, ends_std_ms=None if gaps is None else _ms(float(np.std(gaps)))
    )


def outliers_of(totals: NDArray[np.int64]) -> Outliers:
    """Queries above the third quartile by three times the distance between the quartiles."""
    flat = totals.reshape(-1)
    low, high = np.quantile(flat, [0.25, 0.75])
    limit = float(high + FENCE * (high - low))
    slowest = np.argsort(-flat, kind="stable")[:SHOWN]
    return Outliers(
        count=int((flat > limit).sum()),
        limit_ms=_ms(limit),
        slowest=tuple(
            Outlier(query=int(place), ms=_ms(float(flat[place])))
            for place in slowest
            if flat[place] > limit
        ),
    )


def throughput_of(turn_ns: NDArray[np.int64], frames: int) -> Throughput:
    """Frames per second, with the interval of its median over the turns.

    Args:
        turn_ns: what the counted queries of each turn took.
        frames: per turn.
    """
    rates = np.sort(frames * 1e9 / np.maximum(1, turn_ns))
    ends = quantile_interval(rates, 0.5)
    return Throughput(
        frames_per_s=round(float(np.median(rates)), 3),
        interval=(round(ends[0], 3), round(ends[1], 3)) if ends else None,
    )


def bound_share(totals: NDArray[np.int64], bound_ms: float) -> BoundShare:
    """Share of the queries that were answered within the bound."""
    within = int((totals <= bound_ms * 1e6).sum())
    low, high = share_interval(within, totals.size)
    return BoundShare(within=within / totals.size, interval=(round(low, 6), round(high, 6)))


def schedule_of(
    late_ns: NDArray[np.int64], limit_ns: int, *, dropped: int = 0, busy: float | None = None
) -> Schedule:
    """Return how well arrivals kept to their schedule.

    Args:
        late_ns: of every counted arrival.
        limit_ns: from where on one is behind.
        dropped, busy: see `Schedule`.
    """
    ordered = np.sort(late_ns, axis=None)
    tail = quantile_interval(ordered, 0.99)
    return Schedule(
        arrivals=int(ordered.size),
        behind=int((ordered > limit_ns).sum()),
        limit_ms=_ms(limit_ns),
        p50_ms=_ms(quantile(ordered, 0.5)),
        p99_ms=None if tail is None else _ms(quantile(ordered, 0.99)),
        max_ms=_ms(float(ordered[-1])),
        dropped=dropped,
        busy=None if busy is None else round(busy, 4),
    )


def _ms(nanoseconds: float) -> float:
    return round(nanoseconds / 1e6, 6)
