"""Quantiles with distribution-free intervals, and what else a latency report claims.

Pure functions on numbers: no clock, no file. A quantile is always a value that was measured
(the inverse of the empirical distribution), never an interpolation between two.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95

Interval = tuple[float, float]
"""The ends of an interval, as a rule of 95 %."""

Z95 = 1.959964
"""The standard normal distribution's quantile that leaves 2.5 % above it."""


def quantile(ordered: NDArray[np.number[Any]], share: float) -> float:
    """The smallest measured value that at least `share` of all values do not exceed.

    Args:
        ordered: the values, ascending, at least one.
        share: 0 < share < 1; 0.99 for p99.
    """
    # The small subtraction keeps 0.9 * 10 = 9.000000000000002 from reaching for the tenth value.
    rank = math.ceil(share * len(ordered) - 1e-9)
    return float(ordered[max(0, rank - 1)])


@lru_cache(maxsize=256)
def quantile_ranks(
    count: int, share: float, confidence: float = CONFIDENCE
) -> tuple[int, int] | None:
    """Return which two order statistics enclose a quantile with the given confidence.

    Of `count` independent values, Binomial(count, share) lie below the true quantile, whatever
    the distribution; the ranks cut at most half of the remaining risk off at either end.

    Returns:
        The two indices into the ascending values, from 0; None where there are too few values
        for an interval with two ends.
    """
    if count < 1:
        return None
    risk = (1 - confidence) / 2
    below = np.arange(1, count + 1)
    steps = np.log(count - below + 1) - np.log(below) + math.log(share) - math.log1p(-share)
    log_mass = count * math.log1p(-share) + np.concatenate(([0.0], np.cumsum(steps)))
    cumulative = np.cumsum(np.exp(log_mass))
    lower = int(np.searchsorted(cumulative, risk, side="right"))  # P(B <= lower - 1) <= risk
    upper = int(np.searchsorted(cumulative, 1 - risk, side="left")) + 1
    if lower < 1 or upper > count:
        return None
    return lower - 1, upper - 1


def quantile_interval(
    ordered: NDArray[np.number[Any]], share: float, confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """The interval that holds the true quantile with at least `confidence`.

    It holds for independent values of any distribution. Times of neighbouring frames are
    correlated, so it is a little narrow for them.

    Args:
        ordered: the values, ascending.

    Returns:
        Lower and upper end; None where there are too few values.
    """
    ranks = quantile_ranks(len(ordered), share, confidence)
    return None if ranks is None else (float(ordered[ranks[0]]), float(ordered[ranks[1]]))


def count_needed(share: float, confidence: float = CONFIDENCE) -> int:
    """Return how many values it takes until `quantile_interval` has two ends."""
    risk = (1 - confidence) / 2
    guess = max(1, math.floor(math.log(risk) / math.log(max(share, 1 - share))) - 1)
    while quantile_ranks(guess, share, confidence) is None:
        guess += 1
    return guess


def share_interval(successes: int, count: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, for example of an accuracy.

    Args:
        successes: how many of `count`.
        count: at least 1.

    Returns:
        Lower and upper end, within 0 and 1.
    """
    share = successes / count
    scale = 1 + z * z / count
    centre = (share + z * z / (2 * count)) / scale
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)


def rank_sum_p(first: NDArray[np.number[Any]], second: NDArray[np.number[Any]]) -> float:
    """Return how likely two samples of one distribution differ as much as these (Wilcoxon, 1945).

    Both ends count, ties share their ranks, and the sum of ranks is taken as normal: good from
    about 8 values each.

    Args:
        first, second: any shape, at least one value each.
    """
    values = np.concatenate((first, second), axis=None)
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places.reshape(-1)]
    m, n = first.size, second.size
    total = m + n
    ties = float((counts.astype(np.float64) ** 3 - counts).sum()) / (total * (total - 1))
    variance = m * n / 12 * (total + 1 - ties)
    if variance <= 0:
        return 1.0
    away = abs(float(ranks[:m].sum()) - m * (total + 1) / 2)
    return math.erfc(max(0.0, away - 0.5) / math.sqrt(2 * variance))
