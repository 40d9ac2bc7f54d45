"""Distances of embeddings from those of training."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.novelty import TrainingSpace, image_distances


def space(**other: np.ndarray) -> TrainingSpace:
    arrays = {
        "centre": np.array([1, 1], np.float32),
        "within": np.diag([1.0, 0.5]).astype(np.float32),
        "means": np.array([[0, 0], [3, 0]], np.float32),
        "overall": np.zeros((2, 1), np.float32),
    }
    return TrainingSpace(**{**arrays, **other})


def test_the_nearest_class_counts_in_its_own_coordinates():
    asked = np.array([[1, 1], [4, 1], [4, 3], [1, -3], [2.5, 1]], np.float32)
    np.testing.assert_allclose(space().distances(asked), [0, 0, 1, 2, 1.5])


def test_the_distance_is_relative_to_that_from_all_classes_together():
    across = space(overall=np.array([[0], [np.sqrt(3) / 2]], np.float32))
    asked = np.array([[1, 1], [1, -3], [2.5, 1], [1, -399]], np.float32)
    expected = [0, 2 / np.sqrt(1 + 12), 1.5, 200 / np.sqrt(1 + 3 * 200**2)]
    np.testing.assert_allclose(across.distances(asked), expected, rtol=1e-5)


def test_far_away_small_differences_are_not_lost():
    centre, one = np.full(2, 1e4, np.float32), np.zeros((1, 2), np.float32)
    far = space(centre=centre, within=np.eye(2, dtype=np.float32), means=one)
    found = far.distances(np.array([[1e4, 1e4 + 0.25]], np.float32))
    np.testing.assert_allclose(found, [0.25])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_has_no_distance(value):
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(space().distances(np.array([[value, 0]], np.float32))).any()


@pytest.mark.parametrize(("combine", "found"), [("worst", [1, 5, 3]), ("mean", [1, 3.5, 3])])
def test_tiles_make_an_image_as_their_answers_do(combine, found):
    tiles = np.array([1, 5, 2, 3], np.float32)
    np.testing.assert_array_equal(image_distances(tiles, np.array([1, 2, 1]), combine), found)


@pytest.mark.parametrize("classes", [1, 2, 7])
def test_one_embedding_is_as_far_alone_as_among_others(classes):
    rng = np.random.default_rng(classes)
    sizes = {"centre": (5,), "within": (5, 4), "means": (classes, 4), "overall": (5, 3)}
    arrays = {name: rng.normal(size=size).astype(np.float32) for name, size in sizes.items()}
    asked = (100 * rng.normal(size=(50, 5))).astype(np.float32)
    asked[:3, 1] = np.nan, np.inf, 3e38
    with np.errstate(invalid="ignore", over="ignore"):
        alone = [space(**arrays).distance(row) for row in asked]
    np.testing.assert_allclose(alone, space(**arrays).distances(asked), rtol=1e-5)
    assert np.isnan(alone[:3]).all()
