"""The support vector machine as a dense layer."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from edgecl.learning.evaluation.svm import fit_linear_svm


def clouds(classes: int, *, shift: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points around the corners of a simplex; the axes differ in scale."""
    targets = np.repeat(np.arange(classes), 30)
    noise = np.random.default_rng(seed).normal(0, 1, (len(targets), classes))
    points = (6 * np.eye(classes)[targets] + noise) * 10.0 ** np.arange(classes) + shift
    return points.astype(np.float32), targets


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_layer_on_raw_embeddings_decides_as_the_machine_on_standardised_ones(classes):
    points, targets = clouds(classes, shift=50.0)
    scale = (points.std(axis=0) + 1e-6) * np.sqrt(classes)
    machine = LinearSVC(random_state=0, max_iter=10_000)
    machine.fit((points - points.mean(axis=0)) / scale, targets)
    held_out, truth = clouds(classes, shift=50.0, seed=1)
    layer = fit_linear_svm(points, targets, classes)
    margins = held_out @ layer.weight.T + layer.bias
    assert (
        margins.argmax(1) == machine.predict((held_out - points.mean(axis=0)) / scale)
    ).mean() > 0.98
    assert layer.accuracy(held_out, truth) > 0.9


def test_the_difference_of_two_units_is_the_margin():
    points, targets = clouds(2)
    layer = fit_linear_svm(points, targets, 2)
    np.testing.assert_allclose(layer.weight[0], -layer.weight[1], atol=1e-6)
    machine = LinearSVC(random_state=0, max_iter=10_000)
    mean, scale = points.mean(axis=0), (points.std(axis=0) + 1e-6) * np.sqrt(2)
    machine.fit((points - mean) / scale, targets)
    units = points @ layer.weight.T + layer.bias
    expected = machine.decision_function((points - mean) / scale)
    np.testing.assert_allclose(units[:, 1] - units[:, 0], expected, atol=1e-3)


def test_a_class_without_a_image_never_wins():
    points, targets = clouds(3)
    known = targets != 1
    layer = fit_linear_svm(points[known], targets[known], 3)
    assert set((points @ layer.weight.T + layer.bias).argmax(1)) == {0, 2}
