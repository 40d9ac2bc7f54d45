"""How many pictures are enough: neither too few by luck nor more than it takes."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.curve import Point, enough, measure_curve, usual_sizes
from calibration.damage import Damage

PICTURES = 400


def point(size, *accuracies, agreements=None) -> Point:
    agreements = agreements or [1.0] * len(accuracies)
    return Point(
        size,
        tuple(
            Damage(accuracy, agreement, 0, 0, 30.0)
            for accuracy, agreement in zip(accuracies, agreements, strict=True)
        ),
    )


@pytest.mark.parametrize(
    ("available", "sizes"),
    [(7, []), (8, [8]), (100, [8, 16, 32, 64, 100]), (128, [8, 16, 32, 64, 128])],
)
def test_sizes_double_up_to_what_is_there(available, sizes):
    assert usual_sizes(available) == sizes


def test_enough_is_where_the_curve_has_become_flat():
    points = [
        point(8, 0.80, 0.82, 0.81),
        point(16, 0.90, 0.91, 0.90),
        point(32, 0.950, 0.952, 0.950),
        point(64, 0.951, 0.950, 0.952),
        point(128, 0.951),
    ]
    assert enough(points, PICTURES) == 32


def test_a_good_mean_by_luck_is_not_enough():
    points = [
        point(8, 0.99, 0.89, 0.99, 0.93),
        point(16, 0.95, 0.951, 0.95, 0.95),
        point(32, 0.95, 0.95, 0.95, 0.95),
    ]
    assert enough(points, PICTURES) == 16


def test_a_curve_that_still_moves_says_nothing():
    points = [point(8, 0.8, 0.8), point(16, 0.85, 0.85), point(32, 0.9, 0.9)]
    assert enough(points, PICTURES) is None
    assert enough(points[:1], PICTURES) is None


def test_one_validation_picture_is_no_change():
    points = [point(8, 0.9475, 0.9475), point(16, 0.95, 0.95), point(32, 0.95)]
    assert enough(points, PICTURES) == 8
    assert enough(points, 10 * PICTURES) == 16


def test_labels_that_change_count_even_where_accuracy_stays():
    points = [
        point(8, 0.95, 0.95, agreements=[0.96, 0.96]),
        point(16, 0.95, 0.95),
        point(32, 0.95, 0.95),
    ]
    assert enough(points, PICTURES) == 16


def test_the_curve_measures_every_draw_and_equal_sets_once():
    targets = np.arange(60) % 2
    reference = np.where(targets[:, None] == np.arange(2), 0.9, 0.1).astype(np.float32)
    seen: list[int] = []

    def choose(size, rng):
        return np.sort(rng.permutation(32)[:size])

    def answers(rows):
        seen.append(len(rows))
        spoiled = reference.copy()
        wrong = 32 - len(rows)
        spoiled[:wrong] = spoiled[:wrong, ::-1]
        return spoiled

    curve = measure_curve(
        [8, 16, 32], choose, answers, reference=reference, targets=targets, draws=3, seed=1
    )
    assert seen == [8, 8, 8, 16, 16, 16, 32]
    assert [entry.size for entry in curve.points] == [8, 16, 32]
    assert [entry.mean("lost") for entry in curve.points] == [24, 16, 0]
    assert [entry.spread("accuracy") for entry in curve.points] == [0, 0, 0]
    assert curve.enough is None
    assert curve.pictures == 60
