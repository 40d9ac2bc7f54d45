"""Schedules of arrivals, and how far behind them a side began."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.benchmark.measuring.arrivals import (
    late_limit_ns,
    lateness,
    parse_bound,
    parse_cadence,
    poisson_arrivals,
)
from runtime.errors import InputError


def test_a_cadence_is_a_rate_or_a_period():
    assert parse_cadence("30fps") == 30
    assert parse_cadence("29.97 FPS") == pytest.approx(29.97)
    assert parse_cadence("33ms") == pytest.approx(1000 / 33)
    assert parse_cadence("250us") == pytest.approx(4000)
    assert parse_bound("20ms") == 20


@pytest.mark.parametrize("text", ["", "30", "fps", "0fps", "-3fps", "nanfps", "1e9fps", "0ms", "x"])
def test_what_is_no_cadence_is_refused_with_an_example(text):
    with pytest.raises(InputError) as caught:
        parse_cadence(text)
    assert "--cadence 30fps" in (caught.value.hint or "")


def test_random_arrivals_keep_their_mean_and_do_not_depend_on_each_other():
    times = poisson_arrivals(200.0, 20_000, seed=0, turn=0)
    gaps = np.diff(times)
    assert times[0] == 0
    assert (gaps >= 0).all()
    assert gaps.mean() == pytest.approx(5e6, rel=0.03)
    assert gaps.std() == pytest.approx(5e6, rel=0.05)  # exponential: as wide as long
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 0.03


def test_a_schedule_follows_from_seed_and_turn():
    one = poisson_arrivals(50.0, 9, seed=3, turn=1)
    assert (one == poisson_arrivals(50.0, 9, seed=3, turn=1)).all()
    assert (one != poisson_arrivals(50.0, 9, seed=3, turn=2)).any()
    assert (one != poisson_arrivals(50.0, 9, seed=4, turn=1)).any()


def test_a_wait_for_the_query_before_is_no_lateness():
    due = np.array([100, 110, 120, 500])
    starts = np.array([103, 180, 260, 540])
    ends = np.array([180, 260, 300, 600])
    assert lateness(due, starts, ends).tolist() == [3, 0, 0, 40]


def test_the_limit_of_lateness_follows_the_period():
    assert late_limit_ns(1000.0) == 500_000
    assert late_limit_ns(30.0) == pytest.approx(1_666_666, abs=1)
    assert late_limit_ns(1.0) == 5_000_000
