"""Limits with a stated rate of false alarms, whatever the distribution.

Conformal prediction (Vovk, Gammerman and Shafer 2005): of n + 1 images that could have come in any
order, the last is above the k-th smallest of the others with a probability of at most
1 - k / (n + 1). So a limit at the right k keeps its rate on images like those of the validation
part. It says nothing of images from another coil, which may all be farther than those.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# (1 - 0.01) * 100 must not become 99.00000000000001 and ask for one image more.
_ROUNDING = 1e-9


def conformal_rank(images: int, rate: float) -> int:
    """Return which of `images` ascending distances is the limit, from 1.

    It is the largest where so few images do not support the rate, see `supported_rate`.

    Args:
        rate: of false alarms, above 0 and below 1.
    """
    return min(images, max(1, math.ceil((1 - rate) * (images + 1) - _ROUNDING)))


def supported_rate(images: int, rate: float) -> float:
    """Return the rate asked for, or the least one that so many images support."""
    return max(rate, 1 / (images + 1))


def conformal_limit(ascending: NDArray[np.floating], rate: float) -> float:
    """Return the distance that an image like these exceeds at most at the rate.

    Args:
        ascending: distances of the validation images, at least one.
        rate: as for `conformal_rank`.
    """
    return float(ascending[conformal_rank(len(ascending), rate) - 1])


def tail(seen: int, count: int, images: int, rank: int) -> float:
    """Return the probability that `seen` or more of `count` images like these are above a limit.

    The limit is the distance of a given rank among `images` validation images, so the share that is
    above it is itself by chance: it follows a beta, and the number a beta-binomial distribution.

    Args:
        rank: from 1 to `images`.
    """
    above, below = images + 1 - rank, rank
    total = 0.0
    for number in range(seen, count + 1):
        ways = math.lgamma(count + 1) - math.lgamma(number + 1) - math.lgamma(count - number + 1)
        total += math.exp(
            ways + _log_beta(number + above, count - number + below) - _log_beta(above, below)
        )
    return min(1.0, total)


def _log_beta(first: float, second: float) -> float:
    return math.lgamma(first) + math.lgamma(second) - math.lgamma(first + second)
