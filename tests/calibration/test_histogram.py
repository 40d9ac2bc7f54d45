"""Histograms on the common grid: nothing lost, nothing moved, whatever the batches."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.histogram import BINS, Histogram, histogram_of, merged, small


def values(seed=0, count=200_000, scale=1.0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(0.3, scale, count).astype(np.float32)
    return np.where(drawn > 0.1, drawn, 0).astype(np.float32)


def same(one: Histogram, other: Histogram) -> bool:
    return (
        np.array_equal(one.counts, other.counts)
        and (one.exponent, one.zeros) == (other.exponent, other.zeros)
        and (one.minimum, one.maximum) == (other.minimum, other.maximum)
    )


def test_it_counts_as_numpy_does():
    drawn = np.random.default_rng(0).normal(0, 3, (50, 41, 7)).astype(np.float32)
    found = histogram_of(drawn)
    edges = (np.arange(2 * BINS + 1) - BINS) * found.width
    assert np.array_equal(found.counts, np.histogram(drawn.astype(np.float64), edges)[0])
    assert (found.minimum, found.maximum) == (drawn.min(), drawn.max())
    assert BINS * found.width / 2 <= np.abs(drawn).max() < BINS * found.width


def test_zeros_are_counted_apart():
    drawn = values()
    found = histogram_of(drawn)
    assert found.zeros == (drawn == 0).sum() > 0
    assert found.total == drawn.size
    assert found.minimum == 0


def test_a_growing_range_in_any_order_gives_what_one_batch_gives():
    parts = [values(seed, 5000, scale) for seed, scale in enumerate((0.01, 3.0, 700.0, 1e-6))]
    parts.append(np.zeros(100, np.float32))
    whole = histogram_of(np.concatenate(parts))
    for order in ((0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 4, 0, 3, 1)):
        joined = histogram_of(parts[order[0]])
        for part in order[1:]:
            joined = merged(joined, histogram_of(parts[part]))
        assert same(joined, whole)


@pytest.mark.parametrize("edge", [1.0, -1.0, 0.0, 1e-38, -3e38, 4096.0])
def test_values_on_an_edge_have_a_bin(edge):
    found = histogram_of(np.full(10, edge, np.float32))
    low, high = found.occupied()
    assert found.total == 10
    assert found.counts[low:high].sum() + found.zeros == 10


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match="not finite"):
        histogram_of(np.array([0, bad, 1], np.float32))


@pytest.mark.parametrize("bins", [8, 64, 100_000])
def test_a_small_one_keeps_the_count_and_zero_as_an_edge(bins):
    drawn = np.random.default_rng(0).normal(1, 1, 10_000).astype(np.float32)
    drawn[:50] = 0
    edges, counts = small(histogram_of(drawn), bins)
    assert len(edges) == len(counts) + 1 <= bins + 1
    assert 0 in edges
    assert np.array_equal(counts, np.histogram(drawn.astype(np.float64), edges)[0])
    assert edges[0] <= drawn.min()
    assert drawn.max() <= edges[-1]
