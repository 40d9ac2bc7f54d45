"""Shifts of pairs of images from patches that look alike, the best few for each image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecl.data.overlaps.correlation import SIDE
from edgecl.data.overlaps.forest import Matches
from edgecl.data.overlaps.patches import Patches

# Shifts for each image that are looked at more closely, among originals and among mirrored ones.
KEPT = 64
# Pixels within which patches agree on a shift.
_BIN = 4
# Matches that are held before they are counted, and shifts per image that survive a count.
_PENDING = 4_000_000
_SURVIVE = 2 * KEPT


@dataclass(frozen=True)
class Shifts:
    """Pairs of images, and where the second one's content may lie in the first one.

    Args:
        first: int64, M, numbers of originals.
        second: int64, M; from the number of originals on, mirrored images.
        down, right: float32, M, pixels of the compared size.
        votes: float32, M, how many patches say so.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    down: NDArray[np.float32]
    right: NDArray[np.float32]
    votes: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Shifts:
        """Return those at `rows`."""
        return Shifts(*(values[rows] for values in vars(self).values()))


def count(matches: Iterable[Matches], patches: Patches, originals: int, *, common: float) -> Shifts:
    """Return the shifts that most patches agree on, at most a few for each image.

    Memory is bounded by the number of images, not by that of the matches.

    Args:
        common: share of the area that a shift must leave in common.
    """
    keys = np.empty(0, np.int64)
    sums = np.empty((3, 0), np.float32)
    fresh: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    pending = 0
    for found in matches:
        key, values = _keyed(found, patches, originals, common)
        fresh.append((key, values))
        pending += len(key)
        if pending >= _PENDING:
            keys, sums = _merged(keys, sums, fresh, originals, _SURVIVE)
            fresh, pending = [], 0
    keys, sums = _merged(keys, sums, fresh, originals, KEPT)
    first, second = _images(keys, originals)
    return Shifts(first, second, sums[1] / sums[0], sums[2] / sums[0], sums[0])


def strongest(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    score: NDArray[np.float32],
    originals: int,
    most: int,
) -> NDArray[np.bool_]:
    """Return which pairs are among the best of either image, separately for mirrored ones."""
    mirrored = (second >= originals).astype(np.int64)
    keep = np.zeros(len(first), np.bool_)
    end = np.concatenate((first * 2 + mirrored, second % max(originals, 1) * 2 + mirrored))
    order = np.lexsort((-np.concatenate((score, score)), end))
    sorted_end = end[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_end, sorted_end)
    keep[order[rank < most] % max(len(first), 1)] = True
    return keep


def _keyed(
    found: Matches, patches: Patches, originals: int, common: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pair and coarse shift as one number, with weights: 3×M, of the match and its shift."""
    first = patches.images[found.first].astype(np.int64)
    second = patches.images[found.second].astype(np.int64)
    shift = patches.places[found.first].astype(np.int64) - patches.places[found.second]
    swap = first > second
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    shift[swap] *= -1
    rest = SIDE - np.abs(shift)
    near = rest[:, 0] * rest[:, 1] >= common * SIDE * SIDE
    coarse = (shift + SIDE) // _BIN
    key = ((first * 2 * originals + second) << 16) | (coarse[:, 0] << 8) | coarse[:, 1]
    weight = found.likeness**2
    values = np.stack((weight, weight * shift[:, 0], weight * shift[:, 1]))
    return key[near], values[:, near].astype(np.float32)


def _merged(
    keys: NDArray[np.int64],
    sums: NDArray[np.float32],
    fresh: list[tuple[NDArray[np.int64], NDArray[np.float32]]],
    originals: int,
    most: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    keys = np.concatenate([keys, *(key for key, _ in fresh)])
    sums = np.concatenate([sums, *(values for _, values in fresh)], axis=1)
    order = np.argsort(keys)
    keys, sums = keys[order], sums[:, order]
    start = np.flatnonzero(np.diff(keys, prepend=-1))
    keys = keys[start]
    sums = np.add.reduceat(sums, start, axis=1) if len(start) else sums
    first, second = _images(keys, originals)
    keep = strongest(first, second, sums[0], originals, most)
    return keys[keep], sums[:, keep]


def _images(keys: NDArray[np.int64], originals: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    pair = keys >> 16
    return pair // max(2 * originals, 1), pair % max(2 * originals, 1)
