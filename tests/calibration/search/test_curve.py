"""How many images are enough: neither too few by luck nor more than it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calibration.histogram import histogram_of
from calibration.observation import Observation
from calibration.search.curve import CurvePoint, enough, measure_curve
from calibration.search.damage import Damage

IMAGES = 400


def point(size, *accuracies, agreements=None) -> CurvePoint:
    agreements = agreements or [1.0] * len(accuracies)
    return CurvePoint(
        size,
        tuple(
            Damage(accuracy, agreement, 0, 0, 30.0)
            for accuracy, agreement in zip(accuracies, agreements, strict=True)
        ),
    )


def test_enough_is_where_the_curve_has_become_flat():
    points = [
        point(8, 0.80, 0.82, 0.81),
        point(16, 0.90, 0.91, 0.90),
        point(32, 0.950, 0.952, 0.950),
        point(64, 0.951, 0.950, 0.952),
        point(128, 0.951),
    ]
    assert enough(points, IMAGES) == 32


def test_a_good_mean_by_luck_is_not_enough():
    points = [
        point(8, 0.99, 0.89, 0.99, 0.93),
        point(16, 0.95, 0.951, 0.95, 0.95),
        point(32, 0.95, 0.95, 0.95, 0.95),
    ]
    assert enough(points, IMAGES) == 16


def test_a_curve_that_still_moves_says_nothing():
    points = [point(8, 0.8, 0.8), point(16, 0.85, 0.85), point(32, 0.9, 0.9)]
    assert enough(points, IMAGES) is None
    assert enough(points[:1], IMAGES) is None


def test_one_validation_image_is_no_change():
    points = [point(8, 0.9475, 0.9475), point(16, 0.95, 0.95), point(32, 0.95)]
    assert enough(points, IMAGES) == 8
    assert enough(points, 10 * IMAGES) == 16


def test_labels_that_change_count_even_where_accuracy_stays():
    points = [
        point(8, 0.95, 0.95, agreements=[0.96, 0.96]),
        point(16, 0.95, 0.95),
        point(32, 0.95, 0.95),
    ]
    assert enough(points, IMAGES) == 16


def test_logits_that_still_settle_count_where_no_image_changes():
    points = [
        CurvePoint(8, tuple(Damage(0.95, 1, 0, 0, snr) for snr in (16, 28, 23, 26))),
        CurvePoint(16, tuple(Damage(0.95, 1, 0, 0, snr) for snr in (24, 25, 24, 24))),
        CurvePoint(32, tuple(Damage(0.95, 1, 0, 0, snr) for snr in (30, 31, 31))),
        CurvePoint(64, tuple(Damage(0.95, 1, 0, 0, snr) for snr in (31, 31))),
    ]
    assert enough(points, IMAGES) == 32


def test_an_infinite_ratio_is_a_large_one():
    same = CurvePoint(8, (Damage(1, 1, 0, 0, math.inf),) * 2)
    assert same.mean("snr_db") == 120
    assert enough([same, same], IMAGES) == 8


def measured(blocks, draws=3):
    """A curve over blocks of these sizes; a set's answers spoil fewer images the larger it is."""
    targets = np.arange(60) % 2
    reference = np.where(targets[:, None] == np.arange(2), 0.9, 0.1).astype(np.float32)
    seen: list[tuple[int, float]] = []
    told: list[str] = []

    def answers(observation):
        histogram = observation.histograms["x"]
        assert histogram.total == observation.images
        seen.append((observation.images, histogram.minimum))
        spoiled = reference.copy()
        wrong = max(0, 32 - observation.images)
        spoiled[:wrong] = spoiled[:wrong, ::-1]
        return spoiled

    observations = (
        Observation({"x": histogram_of(np.full(size, turn, np.float32))}, size)
        for turn, size in enumerate(blocks)
    )
    curve = measure_curve(
        observations, answers, reference=reference, targets=targets, draws=draws, report=told.append
    )
    return curve, seen, told


def test_sets_double_and_share_no_image():
    curve, seen, told = measured([8] * 8)
    # The lowest value tells the first block of a set.
    assert sorted(seen) == [
        *((8, 0), (8, 1), (8, 2)),
        *((16, 0), (16, 2), (16, 4)),
        *((32, 0), (32, 4)),
        (64, 0),
    ]
    assert [entry.size for entry in curve.points] == [8, 16, 32, 64]
    assert [entry.mean("lost") for entry in curve.points] == [24, 16, 0, 0]
    assert curve.enough == 32
    assert curve.images == 60
    assert told[0] == "set 1 of 8 images"


@pytest.mark.parametrize(
    ("blocks", "sizes"),
    [
        ([8], [8]),
        ([5], [5]),
        ([8, 4], [8, 12]),
        ([8] * 6, [8, 16, 32, 48]),
        ([8] * 4 + [3], [8, 16, 32, 35]),
        ([], []),
    ],
)
def test_the_last_set_is_of_all_images(blocks, sizes):
    curve, _, _ = measured(blocks)
    assert [entry.size for entry in curve.points] == sizes
    assert all(len(entry.draws) <= 3 for entry in curve.points)
