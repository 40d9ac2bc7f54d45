"""Limits keep their rate of false alarms, whatever the distances are like."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runtime.novelty import conformal_limit, conformal_rank, supported_rate, tail


@pytest.mark.parametrize(
    ("images", "rate", "rank"),
    [
        (99, 0.01, 99),  # the fewest that support it
        (98, 0.01, 98),  # too few: the largest
        (199, 0.01, 198),
        (999, 0.01, 990),
        (19, 0.05, 19),
        (9, 0.5, 5),
        (1, 0.5, 1),
    ],
)
def test_the_limit_is_the_conformal_one(images, rate, rank):
    assert conformal_rank(images, rate) == rank
    ascending = np.arange(1.0, images + 1)
    assert conformal_limit(ascending, rate) == rank


def test_too_few_images_support_a_larger_rate_only():
    assert supported_rate(99, 0.01) == pytest.approx(0.01)
    assert supported_rate(49, 0.01) == pytest.approx(0.02)
    assert supported_rate(1000, 0.01) == 0.01


@pytest.mark.parametrize("draw", ["normal", "standard_cauchy", "exponential"])
def test_false_alarms_are_as_many_as_asked_for(draw):
    rng = np.random.default_rng(0)
    above = [
        float(drawn[-1]) > conformal_limit(np.sort(drawn[:-1]), 0.1)
        for drawn in getattr(rng, draw)(size=(4000, 60))
    ]
    assert np.mean(above) == pytest.approx(6 / 60, abs=0.02)  # rank 55 of 59


def test_the_tail_is_a_distribution_and_that_of_simulated_limits():
    images, rank, count = 40, 37, 20
    assert tail(0, count, images, rank) == pytest.approx(1)
    assert tail(count + 1, count, images, rank) == 0
    rng = np.random.default_rng(1)
    drawn = rng.random((20_000, images + count))
    limits = np.sort(drawn[:, :images], axis=1)[:, rank - 1]
    above = (drawn[:, images:] > limits[:, None]).sum(axis=1)
    for seen in (1, 3, 5):
        assert tail(seen, count, images, rank) == pytest.approx((above >= seen).mean(), abs=0.015)


def test_with_endless_validation_images_the_tail_is_the_binomial_one():
    exact = 1 - sum(math.comb(10, k) * 0.1**k * 0.9 ** (10 - k) for k in range(3))
    assert tail(3, 10, 10**6, 9 * 10**5) == pytest.approx(exact, rel=1e-3)
