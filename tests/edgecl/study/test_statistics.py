"""Intervals and tests over groups: they hold what they promise on made-up answers."""

from __future__ import annotations

import numpy as np
import pytest

from edgecl.study.statistics import holm, mean_by_groups, paired_difference


def answers(rng: np.random.Generator, groups: int, size: int, share: float) -> np.ndarray:
    """Groups are right or wrong as a whole."""
    return np.repeat(rng.random(groups) < share, size).astype(float)


def names(groups: int, size: int) -> list[str]:
    return np.repeat(np.arange(groups), size).astype(str).tolist()


def test_the_interval_knows_that_groups_hang_together():
    rng = np.random.default_rng(0)
    right = answers(rng, 50, 8, 0.8)
    grouped = mean_by_groups(right, names(50, 8))
    alone = mean_by_groups(right, [str(row) for row in range(400)])
    assert grouped.low < alone.low < grouped.value < alone.high < grouped.high
    assert grouped.value == right.mean()


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        estimate = mean_by_groups(answers(rng, 80, 3, 0.7), names(80, 3))
        covered += estimate.low <= 0.7 <= estimate.high
    assert covered / 200 == pytest.approx(0.95, abs=0.05)


def test_a_difference_is_paired():
    rng = np.random.default_rng(2)
    second = answers(rng, 100, 4, 0.7)
    first = second.copy()
    first[np.flatnonzero(second == 0)[:40]] = 1  # ten groups more are right, none is lost
    found = paired_difference(first, second, names(100, 4))
    assert found.estimate.value == pytest.approx(0.1)
    assert 0 < found.estimate.low < 0.1 < found.estimate.high
    # Ten groups, all one way: two of 2^10 assignments are as extreme.
    assert found.p == pytest.approx(2 / 2**10, abs=0.002)
    back = paired_difference(second, first, names(100, 4))
    assert back.estimate.value == pytest.approx(-0.1)
    assert back.p == found.p


def test_without_a_difference_p_is_uniform_enough():
    rng = np.random.default_rng(3)
    small = 0
    for _ in range(200):
        first, second = (answers(rng, 60, 2, 0.8) for _ in range(2))
        small += paired_difference(first, second, names(60, 2)).p < 0.05
    assert small / 200 < 0.1
    same = answers(rng, 10, 2, 0.5)
    assert paired_difference(same, same, names(10, 2)).p == 1.0


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
