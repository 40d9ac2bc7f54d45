"""Scores and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from edgecl.learning.evaluation import bootstrap_interval, evaluate
from edgecl.learning.probe import fit_linear_probe


def answers(predicted: list[int], classes: int) -> np.ndarray:
    probabilities = np.full((len(predicted), classes), 0.1, np.float32)
    probabilities[np.arange(len(predicted)), predicted] = 0.8
    return probabilities


def test_scores_of_a_small_case_worked_by_hand():
    targets = np.array([0, 0, 0, 1, 1, 2])
    evaluation = evaluate(
        answers([0, 0, 1, 1, 1, 0], 3), targets, list("abcdef"), ("x", "y", "z"), seed=0
    )
    assert evaluation.accuracy == pytest.approx(4 / 6)
    assert evaluation.confusion == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert evaluation.recall == pytest.approx({"x": 2 / 3, "y": 1.0, "z": 0.0})
    assert evaluation.macro_f1 == pytest.approx((2 / 3 + 0.8 + 0.0) / 3)
    assert evaluation.auc["y"] == pytest.approx(1 - 0.25 * 0.5)


def test_a_class_that_is_not_there_has_no_auc():
    evaluation = evaluate(answers([0, 1], 3), np.array([0, 1]), list("ab"), ("x", "y", "z"), seed=0)
    assert evaluation.auc["z"] is None
    assert "z" not in evaluation.roc


def test_the_interval_is_wider_when_pictures_hang_together():
    right = np.tile([True] * 3 + [False], 25)
    apart = bootstrap_interval(right, [str(n) for n in range(100)], seed=0)
    together = bootstrap_interval(np.sort(right), [str(n // 10) for n in range(100)], seed=0)
    assert apart[0] < 0.75 < apart[1]
    assert together[1] - together[0] > 1.5 * (apart[1] - apart[0])


def test_the_probe_separates_what_is_separable():
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1, 2], 50)
    centres = 6 * np.eye(3, 4)[targets] + 100
    far = (rng.normal(0, 1, (150, 4)) + centres).astype(np.float32)
    noise, held = rng.normal(0, 1, (2, 150, 4)).astype(np.float32)
    assert fit_linear_probe(far, targets, 3).accuracy(far, targets) == 1.0
    assert fit_linear_probe(noise, targets, 3).accuracy(held, targets) < 0.6


@pytest.mark.parametrize("present", [[0, 1], [0, 2, 3]])
def test_the_probe_is_scikit_learns_and_a_class_without_pictures_never_wins(present):
    rng = np.random.default_rng(0)
    targets = np.repeat(present, 40)
    embeddings = (rng.normal(0, 1, (len(targets), 5)) + targets[:, None]).astype(np.float32)
    probe = fit_linear_probe(embeddings, targets, 4)
    scaled = (embeddings - embeddings.mean(0)) / (embeddings.std(0) + 1e-6)
    expected = LogisticRegression(max_iter=200).fit(scaled, targets).predict(scaled)
    answers = (embeddings @ probe.weight.T + probe.bias).argmax(1)
    assert answers.tolist() == expected.tolist()
    assert set(answers.tolist()) <= set(present)
