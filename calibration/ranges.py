"""Ranges for eight bits, computed from the observed activations.

Pure functions on histograms. A range always ends within the values that were seen; the quantiser
adds zero where it lies outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.histogram import BINS, Histogram
from calibration.observation import Observation, observe
from runtime.progress import CountProgress

PERCENTILE = 99.99
LEVELS = 256
CANDIDATES = 128
# Of fewer values a histogram shows no tails: nothing is clipped then.
FEWEST_VALUES = 4096

Ranges = Mapping[str, tuple[float, float]]
"""Tensor name to its lowest and highest value."""


def collect_ranges(
    model: onnx.ModelProto,
    images: NDArray[np.uint8],
    *,
    method: str = "minmax",
    report: CountProgress | None = None,
) -> Ranges:
    """Run `model` on `images` and take the range of every floating-point activation.

    Args:
        model: the FP32 graph, with the uint8 input of the contract.
        images: uint8, N×H×W, the calibration images.
        method: a key of `METHODS`.
        report: called with images done and in all.

    Returns:
        Ranges by tensor name.

    Raises:
        InputError: no images, or an activation that is not finite.
    """
    return ranges_of(observe(model, images, report), method)


def ranges_of(observation: Observation, method: str) -> Ranges:
    """The range of every tensor of `observation`, by a key of `METHODS`."""
    # Tensors that hold the same values share one histogram.
    found: dict[int, tuple[float, float]] = {}
    for histogram in observation.histograms.values():
        if id(histogram) not in found:
            clip = histogram.total >= FEWEST_VALUES
            found[id(histogram)] = (METHODS[method] if clip else minmax)(histogram)
    return {name: found[id(histogram)] for name, histogram in observation.histograms.items()}


def minmax(histogram: Histogram) -> tuple[float, float]:
    """Return the range of everything that was seen."""
    return histogram.minimum, histogram.maximum


def percentile(histogram: Histogram, share: float = PERCENTILE) -> tuple[float, float]:
    """The middle `share` per cent of the values; half of the rest is cut off at either end.

    Each end is the outer edge of the bin in which the quantile falls.
    """
    total = histogram.total
    cut = total * (100 - share) / 200
    # Zeros come after what is below zero and before the bin that begins there.
    below = np.cumsum(histogram.counts)
    below[BINS:] += histogram.zeros
    negative = int(below[BINS - 1])
    low = int(np.searchsorted(below, cut, side="right"))
    high = int(np.searchsorted(below, total - cut, side="left"))
    # Both quantiles may fall among the zeros, which have no width.
    zeros_end = negative + histogram.zeros
    lower = 0.0 if negative <= cut < zeros_end else (low - BINS) * histogram.width
    upper = 0.0 if negative < total - cut <= zeros_end else (high + 1 - BINS) * histogram.width
    return max(lower, histogram.minimum), min(upper, histogram.maximum)


def entropy(histogram: Histogram) -> tuple[float, float]:
    """The threshold T at which values and levels tell each other apart the least.

    Everything beyond ±T is clipped, on the sides that the values reach: after a ReLU the range
    begins at zero. Of `CANDIDATES` thresholds, from that with a bin per level to all that was
    seen, the one with the least Kullback-Leibler divergence between the clipped values and the
    same after quantisation is taken. Source: S. Migacz, "8-bit Inference with TensorRT", GPU
    Technology Conference 2017; with 256 levels over an asymmetric range in place of 128 over
    magnitudes. As there, exact zeros are left out: every quantiser represents them.
    """
    first, last = histogram.occupied()
    reach = max(BINS - first, last - BINS)
    fewest = min(reach, LEVELS)
    best, threshold = np.inf, reach
    for reached in _thinned(fewest, reach):
        low, high = max(first, BINS - reached), min(last, BINS + reached)
        divergence = _divergence(histogram.counts, first, low, high, last)
        if divergence < best:
            best, threshold = divergence, reached
    limit = threshold * histogram.width
    return max(histogram.minimum, -limit), min(histogram.maximum, limit)


def mse(histogram: Histogram) -> tuple[float, float]:
    """The range whose 256 levels lose the least squared error: rounding and clipping together.

    Either end is moved in turn while the other one stays, until neither helps.
    """
    first, last = histogram.occupied()
    middles = (np.arange(first, last) - BINS + 0.5).astype(np.float64) * histogram.width
    counts = histogram.counts[first:last]
    seen = counts > 0
    middles, weights = middles[seen], counts[seen].astype(np.float64)
    if not len(middles):
        return minmax(histogram)
    low, high = min(histogram.minimum, 0.0), max(histogram.maximum, 0.0)
    shares = np.arange(CANDIDATES, 0, -1) / CANDIDATES
    best = squared_error(middles, weights, low, high)
    lows, highs = low * shares if low < 0 else np.zeros(0), high * shares
    while True:
        before = best
        for candidate in highs if high > 0 else ():
            error = squared_error(middles, weights, low, candidate)
            if error < best:
                best, high = error, float(candidate)
        for candidate in lows:
            error = squared_error(middles, weights, candidate, high)
            if error < best:
                best, low = error, float(candidate)
        if best == before:
            break
    return max(low, histogram.minimum), min(high, histogram.maximum)


def squared_error(
    values: NDArray[np.float64], weights: NDArray[np.float64], low: float, high: float
) -> float:
    """Squared error of `values`, each `weights` times there, at 256 levels from `low` to `high`.

    As the quantiser does it: zero is one of the levels, and what lies beyond them is clipped.
    """
    step = (high - low) / (LEVELS - 1)
    if not step > 0:
        return float(weights @ (values * values))
    zero = np.rint(-low / step)
    levels = np.clip(np.rint(values / step), -zero, LEVELS - 1 - zero)
    error = values - levels * step
    return float(weights @ (error * error))


METHODS: Mapping[str, Callable[[Histogram], tuple[float, float]]] = {
    "minmax": minmax,
    "mse": mse,
    "percentile": percentile,
    "entropy": entropy,
}


def _thinned(fewest: int, most: int) -> list[int]:
    """Return at most `CANDIDATES` numbers from `fewest` to `most`, both included."""
    return sorted({int(n) for n in np.linspace(fewest, most, CANDIDATES).round()}, reverse=True)


def _divergence(counts: NDArray[np.int64], first: int, low: int, high: int, last: int) -> float:
    """Kullback-Leibler divergence of bins `low` to `high`, clipped, from their quantised form."""
    inside = counts[low:high].astype(np.float64)
    if not inside.any():
        return float(np.inf)
    clipped = inside.copy()
    clipped[0] += counts[first:low].sum()
    clipped[-1] += counts[high:last].sum()
    occupied = clipped > 0
    edges = np.unique(np.arange(LEVELS) * len(inside) // LEVELS)
    bins = np.add.reduceat(occupied.astype(np.float64), edges)
    mass = np.add.reduceat(inside, edges)
    # A level that only clipped values reach would be infinitely far: one value stands for them.
    mass = np.where(bins > 0, np.maximum(mass, 1), 0)
    # Each level spreads its share evenly over those of its bins that hold anything.
    spread = np.divide(mass, bins, out=np.zeros_like(mass), where=bins > 0)
    level = np.repeat(spread, np.diff(np.append(edges, len(inside))))
    p, q = clipped[occupied] / clipped.sum(), level[occupied] / mass.sum()
    return float(p @ np.log(p / q))
