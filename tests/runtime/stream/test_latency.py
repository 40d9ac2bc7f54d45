"""Percentiles from buckets against numpy on the raw data."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.stream.latency import PERCENTILES, LatencyHistogram


def recorded(values) -> LatencyHistogram:
    histogram = LatencyHistogram()
    for value in values:
        histogram.record(int(value))
    return histogram


def raw_percentile(values, share) -> float:
    return float(np.quantile(values, share, method="inverted_cdf"))


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).lognormal(15, 1.5, 20_000).astype(np.int64),
        np.random.default_rng(1).integers(0, 300, 5000),
        np.random.default_rng(2).exponential(8e6, 3001).astype(np.int64),
        np.array([7_000_001]),
        np.arange(10) * 1_000_000,
        np.full(100, 1 << 30),
    ],
)
def test_percentiles_are_within_half_a_percent_of_the_raw_ones(values):
    histogram = recorded(values)
    for share in PERCENTILES.values():
        assert histogram.percentile(share) == pytest.approx(
            raw_percentile(values, share), rel=0.005, abs=0.5
        )


def test_extremes_count_and_mean_are_exact():
    values = np.random.default_rng(3).lognormal(14, 2, 999).astype(np.int64)
    histogram = recorded(values)
    assert (histogram.minimum, histogram.maximum) == (values.min(), values.max())
    assert (histogram.count, histogram.total) == (999, values.sum())
    assert histogram.last == values[-1]


def test_every_duration_has_a_bucket():
    for value in [0, 1, 127, 128, 255, 256, *(1 << power for power in range(8, 70)), -5]:
        histogram = recorded([value])
        assert histogram.percentile(0.5) == max(0, value)  # clamped to the exact extremes


def test_neighbouring_buckets_meet():
    for power in range(8, 39):
        for value in range((1 << power) - 2, (1 << power) + 3):
            assert recorded([0, value, 1 << 62]).percentile(0.5) == pytest.approx(value, rel=0.004)


def test_memory_does_not_grow():
    histogram = recorded([1])
    size = len(histogram._counts)
    for value in np.random.default_rng(4).integers(0, 1 << 50, 10_000):
        histogram.record(int(value))
    assert len(histogram._counts) == size


def test_a_copy_is_a_snapshot():
    histogram = recorded([1000])
    copy = histogram.copy()
    histogram.record(9_000_000)
    assert (copy.count, copy.maximum) == (1, 1000)


def test_nothing_recorded_gives_zeros():
    assert LatencyHistogram().times().p99_ms == 0.0
