"""Histograms of activations on one common grid, so that any two of them add up exactly.

Every bin is a power of two wide and zero is an edge between two bins. A range that outgrows the
grid doubles the width, which joins bins two by two and splits none: one pass over the values is
enough, and neither their order nor the batches they came in changes the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# On either side of zero. The wider side fills more than half of them.
BINS = 4096
CHUNK = 1 << 16
# Below it the scale would leave float32.
_NARROWEST = -120


@dataclass(frozen=True)
class Histogram:
    """The values of one tensor.

    Args:
        exponent: bins are 2**exponent wide.
        counts: int64, 2 * `BINS`; bin i holds the values of [i - BINS, i - BINS + 1) * width,
            without those that are exactly zero.
        zeros: values that are exactly zero, as half of them are after a ReLU.
        minimum: the lowest value, as it is.
        maximum: the highest.
    """

    exponent: int
    counts: NDArray[np.int64]
    zeros: int
    minimum: float
    maximum: float

    @property
    def width(self) -> float:
        """Width of one bin."""
        return math.ldexp(1.0, self.exponent)

    @property
    def total(self) -> int:
        """Values counted."""
        return int(self.counts.sum()) + self.zeros

    def occupied(self) -> tuple[int, int]:
        """First bin and the one after the last of the range from minimum to maximum and zero."""
        low = math.floor(min(self.minimum, 0.0) / self.width)
        high = math.floor(max(self.maximum, 0.0) / self.width) + 1
        return low + BINS, high + BINS


def histogram_of(values: NDArray[np.float32]) -> Histogram:
    """Count `values`, a float32 array of any shape with at least one value.

    Raises:
        ValueError: a value that is not finite.
    """
    flat = values.reshape(-1)
    minimum, maximum = float(flat.min()), float(flat.max())
    if not (math.isfinite(minimum) and math.isfinite(maximum)):
        raise ValueError("a value is not finite")
    exponent = _exponent_for(max(-minimum, maximum))
    # Powers of two: scaling rounds nothing, so every value falls into the bin it belongs to.
    scale = np.float32(math.ldexp(1.0, -exponent))
    counts = np.zeros(2 * BINS, np.int64)
    scaled = np.empty(min(CHUNK, len(flat)), np.float32)
    index = np.empty(len(scaled), np.int64)
    nonzero = 0
    for start in range(0, len(flat), CHUNK):
        chunk = flat[start : start + CHUNK]
        places, bins = scaled[: len(chunk)], index[: len(chunk)]
        np.multiply(chunk, scale, out=places)
        np.floor(places, out=places)
        np.add(places, np.float32(BINS), out=places)
        np.copyto(bins, places, casting="unsafe")
        counts += np.bincount(bins, minlength=2 * BINS)
        nonzero += int(np.count_nonzero(chunk))
    zeros = len(flat) - nonzero
    counts[BINS] -= zeros
    return Histogram(exponent, counts, zeros, minimum, maximum)


def merged(one: Histogram, other: Histogram) -> Histogram:
    """The histogram of the values of both."""
    exponent = max(one.exponent, other.exponent)
    return Histogram(
        exponent,
        widened(one, exponent).counts + widened(other, exponent).counts,
        one.zeros + other.zeros,
        min(one.minimum, other.minimum),
        max(one.maximum, other.maximum),
    )


def widened(histogram: Histogram, exponent: int) -> Histogram:
    """Return the same values in bins of width 2**exponent, not below the histogram's own."""
    counts = histogram.counts
    for _ in range(exponent - histogram.exponent):
        joined = np.zeros_like(counts)
        joined[BINS // 2 : BINS // 2 + BINS] = counts.reshape(-1, 2).sum(1)
        counts = joined
        if not counts.any():
            break
    return Histogram(exponent, counts, histogram.zeros, histogram.minimum, histogram.maximum)


def small(histogram: Histogram, bins: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A coarse form for a plot: from the lowest value to the highest, zero among them.

    Args:
        bins: how many at most.

    Returns:
        Edges, float64, n + 1; counts, int64, n, the zeros within the bin that begins at zero.
    """
    low, high = histogram.occupied()
    counts = histogram.counts.copy()
    counts[BINS] += histogram.zeros
    step = 1
    # Zero stays an edge, as on the fine grid.
    while -(-(high - BINS) // step) - (low - BINS) // step > bins:
        step += 1
    first, last = (low - BINS) // step, -(-(high - BINS) // step)
    padded = np.zeros((last - first) * step, np.int64)
    offset = low - BINS - first * step
    padded[offset : offset + high - low] = counts[low:high]
    edges = np.arange(first, last + 1).astype(np.float64) * (step * histogram.width)
    return edges, padded.reshape(-1, step).sum(1)


def _exponent_for(magnitude: float) -> int:
    """The narrowest bins with which `magnitude` stays below the last edge."""
    if not magnitude:
        return _NARROWEST
    _, exponent = math.frexp(magnitude)  # magnitude < 2**exponent
    return max(exponent - (BINS.bit_length() - 1), _NARROWEST)
