"""Pauses between the tries to open a lost camera again."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0
"""A camera that is back is found within this, its spread and the time that its opening takes."""

SPREAD = 0.25
"""Share by which a pause is longer or shorter: cameras that were lost together, as by one switch,
do not come back in step."""


def pauses(
    random: Random, *, first: float | None = None, longest: float | None = None
) -> Iterator[float]:
    """Pauses in seconds, each twice the one before up to the longest, without end.

    Args:
        random: what spreads them.
        first, longest: in seconds; by default a lost camera's.
    """
    pause = FIRST_PAUSE_S if first is None else first
    longest = LONGEST_PAUSE_S if longest is None else longest
    while True:
        yield pause * random.uniform(1 - SPREAD, 1 + SPREAD)
        pause = min(2 * pause, longest)
