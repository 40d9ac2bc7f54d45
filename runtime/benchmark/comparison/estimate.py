"""Ratio of new over old with its interval, from one report or from two.

Two reports of the same thing differ by more than the scatter within each shows. What is added for
that stands here; `benchmarks/compare_power.py` measures whether it is enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.benchmark.comparison.document import RatioVerdict
from runtime.benchmark.measuring.relative import Relative, student
from runtime.benchmark.validity import DRIFT_LIMIT
from runtime.statistics import Interval

PLACEMENT = 0.004
"""Standard deviation between runs of a side's ratio to its own copy: each process places code and
buffers anew."""

PLACEMENT_OF_STEP = 0.02
"""The same for a single step and for the tail, which hang on fewer things."""

SHARE_FELT_ALIKE = 0.05
"""Share of a change of the machine's speed that is left in a side's ratio to one of its kind."""

SHARE_FELT_OTHERWISE = 0.4
"""The same for the ratio of two engines, precisions or encoders: a busy machine slows one more."""

OTHER_KIND = 0.015
"""Standard deviation between runs of such a ratio where the machine's speed is the same: two
engines wait for their threads in different ways, and other processes disturb one more."""

UNANCHORED = DRIFT_LIMIT / 2
"""Standard deviation of a run's milliseconds between runs on one machine. A report is VALID where
the machine drifted by up to twice that within it, so as much between two of them is no finding."""


@dataclass(frozen=True)
class RatioEstimate:
    """A ratio, its 95 % interval, and the smallest slowdown that the interval could have shown."""

    ratio: float
    interval: Interval
    smallest_shown: float

    @property
    def verdict(self) -> RatioVerdict:
        """Return what the interval says."""
        low, high = self.interval
        if low > 1:
            return "slower"
        return "faster" if high < 1 else "no difference shown"


def within_report(found: Relative, *, placement: float = PLACEMENT) -> RatioEstimate:
    """The ratio of two sides that took turns in one run.

    Args:
        placement: of the figure.
    """
    return _estimate(found.log, found.variance + placement**2, found.groups - 1)


def between_anchored(
    old: Relative,
    new: Relative,
    *,
    machine: float,
    felt_alike: bool,
    placement: float = PLACEMENT,
) -> RatioEstimate:
    """The ratio of two ratios to a side that is the same in both reports.

    Args:
        old, new: the side relative to it, in each report.
        machine: logarithm of how much slower that side was in the new report.
        felt_alike: whether the two sides are of one kind.
        placement: of the figure.
    """
    share = SHARE_FELT_ALIKE if felt_alike else SHARE_FELT_OTHERWISE
    own = placement if felt_alike else max(placement, OTHER_KIND)
    return _between(old, new, 2 * own**2 + (share * machine) ** 2)


def between_plain(old: Relative, new: Relative) -> RatioEstimate:
    """The ratio of milliseconds of two reports, with nothing that tells the machine's speed."""
    return _between(old, new, 2 * UNANCHORED**2)


def _between(old: Relative, new: Relative, added: float) -> RatioEstimate:
    variance = old.variance + new.variance + added
    return _estimate(new.log - old.log, variance, old.groups + new.groups - 2)


def _estimate(log: float, variance: float, freedom: int) -> RatioEstimate:
    half = student(freedom) * math.sqrt(variance)
    return RatioEstimate(
        math.exp(log), (math.exp(log - half), math.exp(log + half)), math.expm1(half)
    )
