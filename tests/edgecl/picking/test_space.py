"""The common space: each description has its say; images that are all alike lie on one point."""

import numpy as np

from edgecl.picking.space import common_space


def test_distances_stay_where_all_directions_fit():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 5)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    points = common_space([features], seed=0)
    before = np.linalg.norm(features[:, None] - features, axis=2)
    after = np.linalg.norm(points[:, None] - points, axis=2)
    scale = after[0, 1] / before[0, 1]
    np.testing.assert_allclose(after, scale * before, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(np.square(points).sum(axis=1).mean(), 1, rtol=1e-3)


def test_a_description_of_few_numbers_weighs_as_much_as_one_of_many():
    rng = np.random.default_rng(0)
    side = np.repeat([[1.0, 0.2], [0.2, 1.0]], 20, axis=0).astype(np.float32)
    noise = rng.normal(size=(40, 200)).astype(np.float32) * 100
    points = common_space([side, noise], seed=0)
    within = np.linalg.norm(points[0] - points[1])
    across = np.linalg.norm(points[0] - points[39])
    assert across > 1.2 * within


def test_equal_images_lie_on_one_point():
    points = common_space([np.ones((7, 1496), np.float32)], seed=0)
    assert points.shape == (7, 7)
    assert not points.any()


def test_one_image_has_a_place():
    assert common_space([np.ones((1, 4), np.float32)], seed=0).shape == (1, 1)


def test_more_images_than_are_fitted_on_are_all_placed(monkeypatch):
    monkeypatch.setattr("edgecl.picking.space.FITTED_ON", 20)
    monkeypatch.setattr("edgecl.picking.space._ROWS", 7)
    features = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    points = common_space([features], seed=0)
    assert points.shape == (50, 6)
    np.testing.assert_array_equal(points, common_space([features], seed=0))
