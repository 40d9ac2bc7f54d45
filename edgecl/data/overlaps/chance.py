"""Share of chance in what a search found, measured on the set itself, and what is left.

An image and the mirror image of another one are never the same metal. What the search finds among
these is chance, and among the images themselves chance finds as much. So an image's links count
only above whatever it shares with mirrored images, and the threshold rises until hardly a false
link is to be expected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecl.data.overlaps.search import Pairs

FALSE_SHARE = 0.05
"""Share of the links that may be false, by expectation."""
STEP, LAST = 0.01, (0.995, 0.999)
"""Steps by which the threshold rises, and the last two."""


@dataclass(frozen=True)
class LinksAboveChance:
    """Links above chance.

    Args:
        links: the pairs that count, strongest first; none where no threshold separates.
        threshold: from which on they count; None where none separates, or nothing was found.
        expected_false: how many of `links` are to be expected by chance.
        given_links, given_expected_false: the same at the threshold that was asked for.
    """

    links: Pairs
    threshold: float | None
    expected_false: int
    given_links: int
    given_expected_false: int


def above_chance(real: Pairs, mirrored: Pairs, images: int, threshold: float) -> LinksAboveChance:
    """Choose the lowest threshold at which few of the links are false.

    Args:
        real, mirrored: as `find_pairs` gives them at `threshold`.
        images: number of rows that they refer to.
    """
    given: tuple[int, int] | None = None
    for step in steps(threshold):
        chance = mirrored.take(mirrored.correlation >= step)
        limit = _strongest_of(chance, images)
        links = _beyond(real.take(real.correlation >= step), limit)
        false = _expected_false(chance, images)
        given = given or (len(links), false)
        if not len(links):
            break
        if false <= FALSE_SHARE * len(links):
            order = np.argsort(-links.correlation, kind="stable")
            return LinksAboveChance(links.take(order), step, false, *given)
    none = real.take(np.empty(0, np.int64))
    return LinksAboveChance(none, None, 0, *(given or (0, 0)))


def steps(threshold: float) -> list[float]:
    """Thresholds from `threshold` on, rising."""
    count = int((LAST[0] - threshold) / STEP) + 1
    rising = [round(threshold + number * STEP, 6) for number in range(max(count, 1))]
    return [*rising, *(last for last in LAST if last > rising[-1])]


def _strongest_of(pairs: Pairs, images: int) -> NDArray[np.float32]:
    """The strongest correlation of each image, 0 without any."""
    best = np.zeros(images, np.float32)
    np.maximum.at(best, pairs.first, pairs.correlation)
    np.maximum.at(best, pairs.second, pairs.correlation)
    return best


def _beyond(pairs: Pairs, limit: NDArray[np.float32]) -> Pairs:
    return pairs.take(pairs.correlation > np.maximum(limit[pairs.first], limit[pairs.second]))


def _expected_false(chance: Pairs, images: int) -> int:
    """Number of links that chance makes beyond the limits that chance sets.

    The limits come from one half of the mirrored pairs, what passes them from the other, and the
    other way round. So each limit knows half of what it knows for the images' own links, and the
    number is rather too high.
    """
    half = (chance.first * 2_654_435_761 + chance.second * 40_503 >> 7) % 2
    total = 0
    for side in (0, 1):
        limit = _strongest_of(chance.take(half != side), images)
        total += len(_beyond(chance.take(half == side), limit))
    return total
