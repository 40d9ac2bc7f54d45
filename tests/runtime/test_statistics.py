"""Quantile intervals hold what they promise; shares and ratios are right at their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.statistics import (
    count_needed,
    quantile,
    quantile_interval,
    quantile_ranks,
    share_interval,
)


def binomial_below(count: int, share: float, rank: int) -> float:
    """P(Binomial(count, share) < rank), summed exactly."""
    return math.fsum(
        math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(rank)
    )


@pytest.mark.parametrize("count", [6, 20, 100, 368, 500])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_the_ranks_are_the_tightest_with_each_tail_below_the_risk(count, share):
    ranks = quantile_ranks(count, share)
    if ranks is None:
        assert count < count_needed(share)
        return
    lower, upper = ranks[0] + 1, ranks[1] + 1  # ranks from 1, as the definition counts
    assert binomial_below(count, share, lower) <= 0.025
    assert binomial_below(count, share, lower + 1) > 0.025
    assert 1 - binomial_below(count, share, upper) <= 0.025
    assert 1 - binomial_below(count, share, upper - 1) > 0.025


@pytest.mark.parametrize(("count", "share"), [(50, 0.5), (200, 0.9), (600, 0.99)])
def test_the_interval_covers_the_true_quantile(count, share):
    rng = np.random.default_rng(3)
    truth = -math.log(1 - share)  # of the exponential distribution, which has a long tail
    samples = np.sort(rng.exponential(size=(3000, count)), axis=1)
    ends = [quantile_interval(row, share) for row in samples]
    covered = np.mean([end is not None and end[0] <= truth <= end[1] for end in ends])
    assert 0.945 <= covered <= 0.985


def test_too_few_values_give_no_interval():
    assert quantile_interval(np.arange(5.0), 0.5) is None
    assert quantile_interval(np.arange(367.0), 0.99) is None
    assert quantile_interval(np.arange(368.0), 0.99) is not None
    assert quantile_ranks(0, 0.5) is None


def test_the_counts_that_the_help_text_names():
    assert count_needed(0.5) == 6
    assert count_needed(0.99) == 368
    assert count_needed(0.999) == 3688


def test_ranks_of_many_frames_stay_finite():
    ranks = quantile_ranks(1_000_000, 0.999)
    assert ranks is not None
    assert 998_800 < ranks[0] < 999_000 < ranks[1] < 999_100


def test_a_quantile_is_a_value_that_was_measured():
    ordered = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 100.0])
    assert quantile(ordered, 0.5) == 5
    assert quantile(ordered, 0.9) == 9
    assert quantile(ordered, 0.99) == 100
    assert quantile(np.array([7.0]), 0.001) == 7


def test_share_interval_stays_within_0_and_1():
    assert share_interval(0, 10)[0] == 0
    assert share_interval(10, 10)[1] == pytest.approx(1)
    low, high = share_interval(8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Wilson's, by the book
