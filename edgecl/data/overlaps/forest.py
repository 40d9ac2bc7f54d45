"""Forest of random halvings that finds like vectors among millions, in near-linear time.

Every tree cuts the vectors in half, across the line between two of them drawn at random, until a
leaf is small; vectors that share a leaf are compared. The halves are equal whatever the data, so
no surface, however plain, makes a leaf grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgecl.data.overlaps.patches import SCALE, Patches

TREES = 4
LEAF = 512
LEAST = 0.88
"""Least correlation of two patches."""
# Partners that one patch may have in a leaf: of a plain surface, everything resembles everything.
_PARTNERS = 10
# The bar rises by these for a patch that has more.
_LEVELS = 1 - (1 - LEAST) * 0.75 ** np.arange(1, 16)
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Matches:
    """Pairs of patches that look alike.

    Args:
        first, second: int64, M, patch numbers; the image of `first` is an original.
        likeness: float32, M.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    likeness: NDArray[np.float32]


def match(patches: Patches, originals: int) -> Iterator[Matches]:
    """Yield, leaf by leaf, the patches that look alike; no pair comes twice.

    Args:
        patches: of the originals, then of as many mirrored images in the same order. An image is
            compared neither with itself nor with its mirror image.
        originals: their number.
    """
    generator = np.random.default_rng(0)
    earlier: list[NDArray[np.int32]] = []
    for _ in range(TREES):
        order, bounds = _grow(patches.vectors, generator)
        leaf_of = np.empty(len(order), np.int32)
        for leaf, (start, end) in enumerate(pairwise(bounds)):
            rows = order[start:end]
            leaf_of[rows] = leaf
            found = _match_leaf(patches, rows, originals)
            fresh = np.ones(len(found.first), np.bool_)
            for before in earlier:
                fresh &= before[found.first] != before[found.second]
            yield Matches(found.first[fresh], found.second[fresh], found.likeness[fresh])
        earlier.append(leaf_of)


def leaves(count: int) -> int:
    """Return how many leaves all trees have together."""
    return TREES << _depth(count)


def _depth(count: int) -> int:
    depth = 0
    while count >> depth > LEAF:
        depth += 1
    return depth


def _grow(
    vectors: NDArray[np.int8], generator: np.random.Generator
) -> tuple[NDArray[np.int32], list[int]]:
    """Return the rows in the order of the leaves, and the bounds between these."""
    order = np.arange(len(vectors), dtype=np.int32)
    bounds = [0, len(vectors)]
    for _ in range(_depth(len(vectors))):
        finer = [0]
        for start, end in pairwise(bounds):
            rows = order[start:end]
            ends = vectors[rows[generator.integers(0, len(rows), 2)]].astype(np.float32)
            # The noise separates rows where both ends are equal.
            across = ends[0] - ends[1] + generator.normal(0, 0.1, len(ends[0])).astype(np.float32)
            along = np.empty(len(rows), np.float32)
            for chunk in range(0, len(rows), _CHUNK):
                part = rows[chunk : chunk + _CHUNK]
                along[chunk : chunk + _CHUNK] = vectors[part].astype(np.float32) @ across
            middle = len(rows) // 2
            order[start:end] = rows[np.argpartition(along, middle)]
            finer += [start + middle, end]
        bounds = finer
    return order, bounds


def _match_leaf(patches: Patches, rows: NDArray[np.int32], originals: int) -> Matches:
    sorted_rows = np.sort(rows).astype(np.int64)  # patches of originals come first
    image = patches.images[sorted_rows]
    border = int(np.searchsorted(image, originals))
    vectors = patches.vectors[sorted_rows].astype(np.float32)
    alike = (vectors[:border] @ vectors.T) * np.float32(1 / SCALE**2)
    alike[image[:border, None] == image[None] % originals] = 0
    first, second = [], []
    for start, end in ((0, border), (border, len(rows))):
        ahead, behind = _best(alike[:, start:end])
        first.append(ahead)
        second.append(behind + start)
    one, other = np.concatenate(first), np.concatenate(second)
    # Two originals see each other from both sides.
    low, high = np.minimum(one, other), np.maximum(one, other)
    once = np.unique(low * len(rows) + high)
    one, other = once // max(len(rows), 1), once % max(len(rows), 1)
    return Matches(sorted_rows[one], sorted_rows[other], alike[one, other])


def _best(alike: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of what is alike: about as many per row as are wanted, the best ones."""
    bar = np.full(len(alike), LEAST, np.float32)
    hits = np.count_nonzero(alike > LEAST, axis=1)
    crowded = np.flatnonzero(hits > 2 * _PARTNERS)
    for level in _LEVELS:
        if not len(crowded):
            break
        fewer = np.count_nonzero(alike[crowded] > level, axis=1)
        enough = fewer >= _PARTNERS
        crowded, fewer = crowded[enough], fewer[enough]
        bar[crowded], hits[crowded] = level, fewer
        crowded = crowded[fewer > 2 * _PARTNERS]
    one, other = np.nonzero(alike > bar[:, None])
    # Where all are equal, every so many.
    rank = np.arange(len(one)) - np.searchsorted(one, one)
    keep = (rank + one) % (1 + hits // (4 * _PARTNERS))[one] == 0
    return one[keep], other[keep]
