"""Distances of embeddings from those of training."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.novelty import TrainingSpace, image_distances


def space() -> TrainingSpace:
    return TrainingSpace(
        centre=np.array([1, 1], np.float32),
        whitening=np.diag([1.0, 0.5]).astype(np.float32),
        means=np.array([[0, 0], [3, 0]], np.float32),
    )


def test_the_nearest_class_counts_in_its_own_coordinates():
    asked = np.array([[1, 1], [4, 1], [4, 3], [1, -3], [2.5, 1]], np.float32)
    np.testing.assert_allclose(space().distances(asked), [0, 0, 1, 2, 1.5])


def test_far_away_small_differences_are_not_lost():
    far = TrainingSpace(
        np.full(2, 1e4, np.float32), np.eye(2, dtype=np.float32), np.zeros((1, 2), np.float32)
    )
    found = far.distances(np.array([[1e4, 1e4 + 0.25]], np.float32))
    np.testing.assert_allclose(found, [0.25])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_has_no_distance(value):
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(space().distances(np.array([[value, 0]], np.float32))).any()


def test_the_farthest_tile_speaks_for_an_image():
    found = image_distances(np.array([1, 5, 2, 3], np.float32), np.array([1, 2, 1]))
    np.testing.assert_array_equal(found, [1, 5, 3])
