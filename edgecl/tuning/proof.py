"""Proof of a share by a number of images, exact. Pure."""

from __future__ import annotations

import math

RISK = 0.05
"""Chance that a share beyond the limit is called proven."""


def chance_of_at_most(found: int, count: int, share: float) -> float:
    """Return how often a share shows itself at most `found` times among `count` (binomial).

    Args:
        share: 0 to 1.
    """
    if found >= count:
        return 1.0
    if share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    logs = [
        math.lgamma(count + 1)
        - math.lgamma(number + 1)
        - math.lgamma(count - number + 1)
        + number * math.log(share)
        + (count - number) * math.log1p(-share)
        for number in range(found + 1)
    ]
    return min(1.0, math.fsum(math.exp(log) for log in logs))


def is_proven(found: int, count: int, limit: float, risk: float = RISK) -> bool:
    """Whether so few among so many show that the share is at most a limit.

    Args:
        limit: 0 to 1.
        risk: how often a share at the limit would look like this, or better.
    """
    return count > 0 and chance_of_at_most(found, count, limit) <= risk


def count_to_prove(limit: float, found: int = 0, risk: float = RISK) -> int:
    """Return how many it takes to show that a share is at most a limit.

    Args:
        limit: above 0, below 1.
        found: how many of them show it.
    """
    few, many = found, max(2 * found, 1)
    while not is_proven(found, many, limit, risk):
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        if is_proven(found, middle, limit, risk):
            many = middle
        else:
            few = middle
    return many


def least_provable(count: int, risk: float = RISK) -> float:
    """Return the lowest share that `count` without a single one show not to be exceeded."""
    return 1.0 if count < 1 else 1 - risk ** (1 / count)
