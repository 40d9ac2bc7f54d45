"""Groups from links, without those that chance has chained together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from edgecl.data.overlaps.search import Pairs

# Mirrored matches for each match of a group's images. True groups have hardly any; where shape
# alone decides, it is one third (one of the three ways to mirror keeps the shape) or more.
CHANCE_SHARE = 0.20


@dataclass(frozen=True)
class Joined:
    """Links that hold groups together.

    Args:
        links: those that are left.
        loosened: groups that chance had chained, before some of their links were given up.
        images: in these groups.
        largest: images of the largest of them.
    """

    links: Pairs
    loosened: int
    images: int
    largest: int


def join(first: NDArray[np.int64], second: NDArray[np.int64], images: int) -> NDArray[np.int64]:
    """Group numbers of images, int64 N, from 0 in the order of the groups' first images."""
    ones = np.ones(len(first), np.int8)
    graph = coo_matrix((ones, (first, second)), shape=(images, images))
    _, label = connected_components(graph, directed=False)
    _, start, group = np.unique(label, return_index=True, return_inverse=True)
    numbers: NDArray[np.int64] = np.argsort(np.argsort(start))[group].astype(np.int64)
    return numbers


def loosen(
    links: Pairs, real: Pairs, mirrored: Pairs, images: int, steps: Sequence[float]
) -> Joined:
    """Give up the weakest links of groups whose images match mirrored images about as often.

    Such a group is held together by what its images have in common with any others: an edge, a
    lamp, a straight line. Its links are taken away from the weakest on, until what is left of it
    matches hardly any mirrored image.

    Args:
        links: that count.
        real, mirrored: all pairs that were measured, images and mirrored images.
        images: number of rows.
        steps: thresholds, rising; the first is the one that `links` keep to.
    """
    sizes: list[int] = []
    open_links, kept = links, [links.take(np.empty(0, np.int64))]
    for number, step in enumerate(steps):
        open_links = open_links.take(open_links.correlation >= step)
        if not len(open_links):
            break
        group = join(open_links.first, open_links.second, images)
        own, chance = (
            _touching(pairs.take(pairs.correlation >= step), group) for pairs in (real, mirrored)
        )
        size = np.bincount(group)
        # Of a pair, its own link against the mirrored ones has already decided.
        doubtful = (chance > CHANCE_SHARE * own) & (size > 2)
        if not number:
            sizes = size[doubtful].tolist()
        held = ~doubtful[group[open_links.first]]
        kept.append(open_links.take(held))
        open_links = open_links.take(~held)
    return Joined(
        Pairs(*map(np.concatenate, zip(*(vars(part).values() for part in kept), strict=True))),
        len(sizes),
        sum(sizes),
        max(sizes, default=0),
    )


def _touching(pairs: Pairs, group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of ends of pairs in each group."""
    ends = np.concatenate((group[pairs.first], group[pairs.second]))
    return np.bincount(ends, minlength=int(group.max()) + 1)
