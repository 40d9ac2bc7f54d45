"""The frozen encoder's worth, by a linear probe and by nearest neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from edgecl.learning.evaluation.probe import fit_linear_probe, knn_accuracy


def clouds(count: int, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three clouds a right angle apart, `count` points in each."""
    targets = np.repeat(np.arange(3), count)
    noise = np.random.default_rng(seed).normal(0, spread, (3 * count, 3))
    return (10 * np.eye(3)[targets] + noise).astype(np.float32), targets


def test_clouds_apart_are_told_apart_by_both():
    known, held_out = clouds(40, 0.5, 0), clouds(10, 0.5, 1)
    assert fit_linear_probe(*known, 3).accuracy(*held_out) == 1
    assert knn_accuracy(*known, *held_out) == 1


def test_labels_without_meaning_are_guessed_at():
    embeddings, _ = clouds(60, 3.0, 0)
    targets = np.random.default_rng(2).integers(0, 3, len(embeddings))
    halves = embeddings[::2], targets[::2], embeddings[1::2], targets[1::2]
    assert knn_accuracy(*halves) < 0.6


def test_neighbours_go_by_direction_not_by_length():
    (known, targets), (held_out, truth) = clouds(40, 0.5, 0), clouds(10, 0.5, 1)
    assert knn_accuracy(known, targets, np.float32(1e-3) * held_out, truth) == 1


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_images_than_neighbours_will_do(count):
    known, held_out = clouds(count, 0.5, 0), clouds(5, 0.5, 1)
    assert 0 <= knn_accuracy(*known, *held_out) <= 1


def test_a_dimension_that_hardly_moves_gets_no_weight_to_speak_of():
    known, targets = clouds(40, 0.5, 0)
    still = np.random.default_rng(3).normal(0, 1e-5, (len(known), 1)).astype(np.float32)
    probe = fit_linear_probe(np.hstack((known, still)), targets, 3)
    assert np.abs(probe.weight[:, 3]).max() < np.abs(probe.weight[:, :3]).max()
