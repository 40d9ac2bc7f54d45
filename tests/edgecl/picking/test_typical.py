"""Typical images: the middle of dense clusters, those with the fewest labels first, no copies."""

import numpy as np
import pytest

from edgecl.picking import typical
from edgecl.picking.typical import find_clusters, pick_by_cluster, typicality

NOBODY = np.zeros(0, np.int64)


def no_copies(rows, picked):
    return np.zeros(len(rows), np.bool_)


def blobs(*sizes: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = [rng.normal(10 * number, 0.5, (size, 3)) for number, size in enumerate(sizes)]
    return np.concatenate(parts).astype(np.float32)


def pick(scores, clusters, count, *, free=None, labelled=(), are_copies=no_copies, weights=None):
    clusters = np.asarray(clusters, np.int64)
    known = np.isin(np.arange(len(clusters)), labelled)
    found = pick_by_cluster(
        np.asarray(scores, np.float64),
        clusters,
        free=~known if free is None else np.asarray(free, np.bool_),
        labelled=known,
        count=count,
        are_copies=are_copies,
        weights=weights,
    )
    return found.tolist()


@pytest.mark.parametrize("whole_passes", [10_000, 10])
def test_clusters_are_the_blobs(monkeypatch, whole_passes):
    monkeypatch.setattr(typical, "WHOLE_PASSES", whole_passes)
    found = find_clusters(blobs(30, 20, 10), 3, seed=0)
    assert [len(set(part)) for part in (found[:30], found[30:50], found[50:])] == [1, 1, 1]
    assert set(found.tolist()) == {0, 1, 2}


def test_equal_points_are_one_cluster_however_many_are_wanted():
    assert find_clusters(np.zeros((9, 2), np.float32), 4, seed=0).tolist() == [0] * 9


def test_there_are_no_more_clusters_than_points_or_than_the_limit(monkeypatch):
    points = blobs(6, 6)
    assert len(set(find_clusters(points, 500, seed=0).tolist())) == 12
    monkeypatch.setattr(typical, "MOST_CLUSTERS", 5)
    assert len(set(find_clusters(points, 500, seed=0).tolist())) == 5


def test_the_middle_is_typical_and_an_outlier_is_not():
    points = np.array([[0], [1], [2], [3], [4], [30]], np.float32)
    found = typicality(points, np.zeros(6, np.int64), seed=0)
    assert found.argmax() == 2
    assert found.argmin() == 5


def test_typicality_is_the_inverse_of_the_mean_distance_within_the_cluster():
    points = np.array([[0], [3], [5], [5.1], [50]], np.float32)
    found = typicality(points, np.array([0, 0, 0, 1, 2]), seed=0)
    np.testing.assert_allclose(found[:3], [1 / 4, 1 / 2.5, 1 / 3.5], rtol=1e-4)
    assert found[3:].tolist() == [0, 0]


def test_large_clusters_are_compared_with_a_sample(monkeypatch):
    points = blobs(300)
    whole = typicality(points, np.zeros(300, np.int64), seed=0)
    monkeypatch.setattr(typical, "MOST_COMPARED", 100)
    sampled = typicality(points, np.zeros(300, np.int64), seed=0)
    assert np.corrcoef(whole, sampled)[0, 1] > 0.9


def test_the_largest_cluster_comes_first_and_then_one_of_each():
    assert pick([1, 5, 3, 9, 9, 8], [0, 0, 0, 1, 2, 2], 4) == [1, 4, 3, 2]


def test_clusters_with_labels_wait():
    assert pick([1, 5, 3, 9, 9, 8], [0, 0, 0, 1, 2, 2], 3, labelled=[0]) == [4, 3, 1]


def test_weights_say_which_cluster_is_largest():
    weights = np.array([0.1, 0.1, 0.1, 2.0, 0.5, 0.5])
    assert pick([1, 5, 3, 9, 9, 8], [0, 0, 0, 1, 2, 2], 2, weights=weights) == [3, 4]


def test_only_free_images_are_picked_and_all_where_there_are_fewer():
    free = [True, False, True, False, False, False]
    assert pick([1, 5, 3, 9, 9, 8], [0, 0, 0, 1, 2, 2], 6, free=free) == [2, 0]


def test_copies_of_picked_images_are_passed_over_in_whatever_cluster():
    def copies(rows, picked):
        return np.isin(rows % 2, picked % 2)  # even rows show one image, odd ones another

    assert pick(range(100), [0] * 60 + [1] * 40, 10, are_copies=copies) == [59, 98]


def test_nothing_is_picked_of_nothing():
    assert pick([], [], 3) == []
