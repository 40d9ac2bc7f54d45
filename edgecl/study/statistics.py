"""Statistics over the predictions of several runs: pure functions of arrays.

Images of one overlap group show the same metal and are right or wrong together, so groups are
what is drawn and what signs are flipped for, never single images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecl.learning.evaluation.metrics import bootstrap_interval
from edgecl.study.documents import Estimate

FLIPS = 10_000


@dataclass(frozen=True)
class Difference:
    """One condition minus another on the same images.

    Args:
        estimate: of the difference in accuracy.
        p: two-sided, of a sign-flip test over groups.
        images: how many were answered under both.
    """

    estimate: Estimate
    p: float
    images: int


def mean_by_groups(right: NDArray[np.float64], groups: Sequence[str], *, seed: int = 0) -> Estimate:
    """Accuracy with a 95 % percentile interval by bootstrap over groups.

    Args:
        right: float64, N: how often each image was answered rightly, 0 to 1, over seeds and
            draws.
        groups: N names.
    """
    low, high = bootstrap_interval(right, groups, seed=seed)
    return Estimate(float(right.mean()), low, high)


def paired_difference(
    first: NDArray[np.float64], second: NDArray[np.float64], groups: Sequence[str], *, seed: int = 0
) -> Difference:
    """`first` minus `second`, image by image, with interval and test over groups.

    The test flips the sign of whole groups at random (Fisher's randomisation test for pairs):
    under the null hypothesis the two conditions can be swapped within any group.

    Args:
        first, second: float64, N, of the same images, see `mean_by_groups`.
        groups: N names.
    """
    difference = first - second
    low, high = bootstrap_interval(difference, groups, seed=seed)
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(member, weights=difference)
    moved = sums[sums != 0]
    p = 1.0
    if len(moved):
        rng = np.random.default_rng(seed)
        signs = rng.integers(0, 2, (FLIPS, len(moved)), dtype=np.int8) * 2.0 - 1.0
        flipped = np.abs(signs @ moved)
        # The observed assignment is one of those that could have been drawn.
        p = float((1 + (flipped >= abs(moved.sum()) - 1e-9).sum()) / (1 + FLIPS))
    return Difference(Estimate(float(difference.mean()), low, high), p, len(difference))


def holm(ps: Sequence[float]) -> list[float]:
    """P values adjusted for how many they are (Holm, "A simple sequentially rejective multiple
    test procedure", 1979).
    """
    adjusted = [0.0] * len(ps)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        running = max(running, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = running
    return adjusted
