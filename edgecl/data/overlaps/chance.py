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
from scipy.sparse import csr_matrix

from edgecl.data.overlaps.search import Pairs

FALSE_SHARE = 0.05
"""Share of the links that may be false, by expectation."""
STEP, LAST = 0.01, (0.995, 0.999)
"""Steps by which the threshold rises, and the last two."""


# Mirrored copies that an image may have: of each way to mirror it, one. More are chance.
_MIRRORED_COPIES = 3


@dataclass(frozen=True)
class LinksAboveChance:
    """Links above chance.

    Args:
        links: the pairs that count, strongest first; copies alone where no threshold separates.
        threshold: from which on they count; None where none separates.
        expected_false: how many of `links` are to be expected by chance.
        given_links, given_expected_false: the same at the threshold that was asked for.
        chance: the pairs with mirrored images that are chance.
        mirrored_copies: those that are not: an image and a mirrored copy of it.
    """

    links: Pairs
    threshold: float | None
    expected_false: int
    given_links: int
    given_expected_false: int
    chance: Pairs
    mirrored_copies: Pairs


def above_chance(real: Pairs, mirrored: Pairs, images: int, threshold: float) -> LinksAboveChance:
    """Choose the lowest threshold at which few of the links are false.

    Args:
        real, mirrored: as `find_pairs` gives them at `threshold`.
        images: number of rows that they refer to.
    """
    twins = _mirrored_copies(mirrored, images)
    twin_pairs = mirrored.take(twins)
    chance = mirrored.take(~(twins | _overlap_copies(mirrored, real, twin_pairs, images)))
    given: tuple[int, int] | None = None
    for step in steps(threshold):
        above = chance.take(chance.correlation >= step)
        links = _beyond(real.take(real.correlation >= step), above, images)
        false = _expected_false(above, images)
        given = given or (len(links), false)
        if step > threshold and bool(links.copies.all()):
            break
        if false <= FALSE_SHARE * len(links):
            order = np.argsort(-links.correlation, kind="stable")
            return LinksAboveChance(links.take(order), step, false, *given, chance, twin_pairs)
    copies = _beyond(real.take(real.copies), chance, images)
    return LinksAboveChance(copies, None, 0, *(given or (0, 0)), chance, twin_pairs)


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


def _beyond(pairs: Pairs, chance: Pairs, images: int) -> Pairs:
    """Take the pairs that are stronger than what chance gives either image; copies, in place."""
    anywhere = _strongest_of(chance, images)
    in_place = _strongest_of(chance.take(chance.copies), images)
    limit = np.where(
        pairs.copies,
        np.maximum(in_place[pairs.first], in_place[pairs.second]),
        np.maximum(anywhere[pairs.first], anywhere[pairs.second]),
    )
    return pairs.take(pairs.correlation > limit)


def _mirrored_copies(mirrored: Pairs, images: int) -> NDArray[np.bool_]:
    """Return which pairs are an image and a mirrored copy of it, bool M."""
    alike = mirrored.copies
    ends = np.concatenate((mirrored.first[alike], mirrored.second[alike]))
    count = np.bincount(ends, minlength=images)
    most = np.maximum(count[mirrored.first], count[mirrored.second])
    few: NDArray[np.bool_] = alike & (most <= _MIRRORED_COPIES)
    return few


def _overlap_copies(mirrored: Pairs, real: Pairs, twins: Pairs, images: int) -> NDArray[np.bool_]:
    """Return which pairs match because the mirrored copy of one overlaps the other, bool M."""
    one, copy = _graph(real, images), _graph(twins, images)
    explained = (one @ copy + copy @ one).tocoo()
    keys = explained.row.astype(np.int64) * images + explained.col
    return np.isin(mirrored.first * images + mirrored.second, keys)


def _graph(pairs: Pairs, images: int) -> csr_matrix:
    """N×N: 1 for each pair, either way round."""
    ends = np.concatenate((pairs.first, pairs.second)), np.concatenate((pairs.second, pairs.first))
    return csr_matrix((np.ones(len(ends[0]), np.int32), ends), shape=(images, images))


def _expected_false(chance: Pairs, images: int) -> int:
    """Number of links that chance makes beyond the limits that chance sets.

    The limits come from one half of the mirrored pairs, what passes them from the other, and the
    other way round. So each limit knows half of what it knows for the images' own links, and the
    number is rather too high.
    """
    half = (chance.first * 2_654_435_761 + chance.second * 40_503 >> 7) % 2
    sides = chance.take(half == 0), chance.take(half == 1)
    return sum(len(_beyond(one, other, images)) for one, other in (sides, sides[::-1]))
