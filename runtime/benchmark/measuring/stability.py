"""Stability of a side's times: a test on the medians of successive windows, without a clock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.facts.scenario import StabilityRule
from runtime.statistics import rank_sum_p

RULE = StabilityRule(
    window=20, windows=3, tolerance=0.03, risk=0.01, limit_seconds=5.0, limit_windows=40
)
"""Three windows of 20 queries that agree, for at most 5 s or 40 windows."""


def agree(before: NDArray[np.int64], after: NDArray[np.int64], rule: StabilityRule) -> bool:
    """Whether two windows may be of the same distribution.

    They are where their medians differ by no more than the tolerance, or where the rank-sum test
    cannot tell them apart: on a noisy machine medians of short windows always differ.

    Args:
        before: nanoseconds of one window.
        after: of the next one.
    """
    first, second = sorted((float(np.median(before)), float(np.median(after))))
    return second <= first * (1 + rule.tolerance) or rank_sum_p(before, after) > rule.risk


def is_stable(windows: Sequence[NDArray[np.int64]], rule: StabilityRule) -> bool:
    """Whether each two of the latest windows agree.

    All pairs, since a slow fall is small from one window to the next.

    Args:
        windows: nanoseconds of each, in order.
    """
    latest = windows[-rule.windows :]
    if len(latest) < rule.windows:
        return False
    return all(
        agree(earlier, later, rule)
        for place, earlier in enumerate(latest)
        for later in latest[place + 1 :]
    )
