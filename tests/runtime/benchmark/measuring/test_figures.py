"""Jitter, drift, outliers, throughput, bounds and schedules from times that are known."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.benchmark.measuring.figures import (
    bound_share,
    drift_of,
    jitter_of,
    outliers_of,
    schedule_of,
    throughput_of,
)

MS = 1_000_000


def test_drift_is_the_second_half_over_the_first():
    times = np.array([[10, 10], [10, 10], [11, 11], [11, 11]]) * MS
    assert drift_of(times) == pytest.approx(0.1)
    assert drift_of(times[:1]) is None


def test_jitter_is_the_tail_over_the_median_and_the_spread_of_the_ends():
    times = np.full((40, 10), 5 * MS)
    times[:, 0] = 9 * MS
    assert jitter_of(times, None).p99_over_p50_ms == 4
    assert jitter_of(times, None).ends_std_ms is None
    assert jitter_of(times[:10], None).p99_over_p50_ms is None  # 100 are too few for p99
    ends = np.array([[0, 30, 60], [1000, 1040, 1060]]) * MS
    assert jitter_of(times, ends).ends_std_ms == pytest.approx(np.std([30, 30, 40, 20]))
    assert jitter_of(times, ends[:, :1]).ends_std_ms is None


def test_outliers_are_named_with_their_place_and_counted_all():
    times = np.tile(np.array([4, 5, 6, 5]), (50, 1)) * MS
    times[7, 2] = 40 * MS
    times[20:32, 0] = 30 * MS
    found = outliers_of(times)
    assert found.count == 13
    assert len(found.slowest) == 10
    assert (found.slowest[0].query, found.slowest[0].ms) == (7 * 4 + 2, 40)
    assert all(found.limit_ms < entry.ms for entry in found.slowest)
    assert outliers_of(times[:5]).slowest == ()


def test_throughput_counts_every_frame_of_a_turn():
    walls = np.linspace(80, 120, 11).astype(np.int64) * MS
    found = throughput_of(walls, 160)
    assert found.frames_per_s == pytest.approx(1600, rel=0.01)
    assert found.interval is not None
    assert found.interval[0] < 1600 < found.interval[1]
    assert throughput_of(walls[:5], 160).interval is None


def test_a_bound_counts_what_is_exactly_on_it():
    times = np.array([[10, 20], [20, 30]]) * MS
    found = bound_share(times, 20)
    assert found.within == 0.75
    assert found.interval[0] < 0.75 < found.interval[1]


def test_a_schedule_counts_who_came_behind():
    late = np.zeros((40, 10), np.int64)
    late[3, 3], late[4, 4] = 2 * MS, 3 * MS
    found = schedule_of(late, 2 * MS, dropped=1, busy=0.41234)
    assert (found.arrivals, found.behind, found.dropped) == (400, 1, 1)
    assert (found.p50_ms, found.p99_ms, found.max_ms, found.busy) == (0, 0, 3, 0.4123)
    assert schedule_of(late[:2], MS).p99_ms is None
