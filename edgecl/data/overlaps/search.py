"""The search for pairs of images that overlap: patches, votes, and the pixels' own word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from edgecl.data.overlaps.correlation import (
    COPY,
    MIN_COMMON,
    THRESHOLD,
    coarse,
    correlate_coarsely,
    high_passed,
    measure,
    mirrored,
)
from edgecl.data.overlaps.forest import Matches, leaves, match
from edgecl.data.overlaps.fourier import Correlator
from edgecl.data.overlaps.patches import Patches, describe_all
from edgecl.data.overlaps.votes import Shifts, count, strongest
from runtime.progress import StageProgress

# A pair at the threshold reaches at least this much less on coarse pixels.
COARSE_SLACK = 0.20
# Pairs of an image that are measured, among originals and among mirrored images.
_MEASURED = 10
_CACHED = 2000
# What a correlation may gain at a shift that no patch proposed.
_NEAR = 0.10


@dataclass(frozen=True)
class Pairs:
    """Measured pairs, first < second.

    Args:
        first, second: int64, M, rows of the images.
        correlation: float32, M, of the common area.
        down, right: int16, M, where the second one's content lies in the first, in pixels of
            the compared size.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    correlation: NDArray[np.float32]
    down: NDArray[np.int16]
    right: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def copies(self) -> NDArray[np.bool_]:
        """Tell which of them match as wholes, in place, as only copies do; bool M."""
        still = np.maximum(np.abs(self.down), np.abs(self.right)) <= 1
        found: NDArray[np.bool_] = still & (self.correlation >= COPY)
        return found

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Pairs:
        """Return those at `rows`."""
        return Pairs(*(values[rows] for values in vars(self).values()))


def find_pairs(
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    report: StageProgress,
    *,
    threshold: float = THRESHOLD,
    common: float = MIN_COMMON,
) -> tuple[Pairs, Pairs]:
    """Find the pairs that correlate above `threshold` at some shift.

    Time grows with the number of images, times its logarithm; memory with the number of images.

    Args:
        images: uint8, N×H×W.
        rows: int64, which of them to compare.
        threshold: the least correlation of the common area.
        common: share of the area that a shift must leave in common.

    Returns:
        The pairs, and those of an image with the mirrored image of another one, found in the same
        way. The latter cannot be the same metal: they are what chance brings.
    """
    number = len(rows)

    def original(place: int) -> NDArray[np.float32]:
        return high_passed(images[rows[place]])

    def any_image(place: int) -> NDArray[np.float32]:
        report("describing", place + 1, 2 * number, "images and their mirror images")
        image = original(place % number)
        return image if place < number else mirrored(image, place - number)

    patches = describe_all(2 * number, any_image)
    # The products are small: threads that wait for one another take longer than they save.
    with threadpool_limits(1):
        shifts = count(_matches(patches, number, report), patches, number, common=common)
    del patches
    small = coarse(number, original)
    report("screening", 0, 1, f"{len(shifts)} shifts")
    score = correlate_coarsely(small, shifts.first, shifts.second, shifts.down, shifts.right)
    report("screening", 1, 1, f"{len(shifts)} shifts")
    del small
    shifts = _promising(shifts, score, threshold - COARSE_SLACK, number)
    cached = lru_cache(maxsize=_CACHED)(original)

    def seen(place: int) -> NDArray[np.float32]:
        image = cached(place % number)
        return image if place < number else mirrored(image, place - number)

    found = _measure_all(shifts, seen, threshold, common, report)
    real = found.second < number
    return tuple(  # type: ignore[return-value]
        Pairs(rows[part.first], rows[part.second % max(number, 1)], *list(vars(part).values())[2:])
        for part in (found.take(real), found.take(~real))
    )


def _matches(patches: Patches, originals: int, report: StageProgress) -> Iterator[Matches]:
    total, text = leaves(len(patches.images)), f"{len(patches.images)} patches"
    for done, found in enumerate(match(patches, originals)):
        report("matching", done + 1, total, text)
        yield found


def _promising(shifts: Shifts, score: NDArray[np.float32], least: float, originals: int) -> Shifts:
    """Select the best shift of each pair, of the best pairs of each image."""
    keep = np.flatnonzero(score >= least)
    pair = shifts.first[keep] * 2 * originals + shifts.second[keep]
    order = np.lexsort((-score[keep], pair))
    keep, pair = keep[order], pair[order]
    keep = keep[np.flatnonzero(np.diff(pair, prepend=-1))]
    best = shifts.take(keep)
    return best.take(strongest(best.first, best.second, score[keep], originals, _MEASURED))


def _measure_all(
    shifts: Shifts,
    image_of: Callable[[int], NDArray[np.float32]],
    threshold: float,
    common: float,
    report: StageProgress,
) -> Pairs:
    """Measure near the shifts, and what comes close to the threshold at every shift."""
    everywhere = Correlator(image_of, common=common)
    correlation = np.zeros(len(shifts), np.float32)
    place = np.zeros((2, len(shifts)), np.int16)
    for row in range(len(shifts)):
        first, second = int(shifts.first[row]), int(shifts.second[row])
        shift = int(np.rint(shifts.down[row])), int(np.rint(shifts.right[row]))
        found = measure(image_of(first), image_of(second), shift, common=common)
        if found.correlation >= threshold - _NEAR:
            found = everywhere(first, second)
        correlation[row] = found.correlation
        place[:, row] = found.shift
        report("measuring", row + 1, len(shifts), "pairs")
    pairs = Pairs(shifts.first, shifts.second, correlation, place[0], place[1])
    return pairs.take(correlation >= threshold)
