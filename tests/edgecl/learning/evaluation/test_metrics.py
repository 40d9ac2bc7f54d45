"""Scores and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from edgecl.learning.evaluation.metrics import (
    bootstrap_interval,
    brier_score,
    evaluate,
    expected_calibration_error,
    negative_log_likelihood,
    reliability_bins,
)
from edgecl.learning.evaluation.probe import fit_linear_probe


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


def test_the_interval_is_wider_when_images_hang_together():
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
def test_the_probe_is_scikit_learns_and_a_class_without_images_never_wins(present):
    rng = np.random.default_rng(0)
    targets = np.repeat(present, 40)
    embeddings = (rng.normal(0, 1, (len(targets), 5)) + targets[:, None]).astype(np.float32)
    probe = fit_linear_probe(embeddings, targets, 4)
    scaled = (embeddings - embeddings.mean(0)) / (embeddings.std(0) + 1e-6)
    expected = LogisticRegression(max_iter=200).fit(scaled, targets).predict(scaled)
    answers = (embeddings @ probe.weight.T + probe.bias).argmax(1)
    assert answers.tolist() == expected.tolist()
    assert set(answers.tolist()) <= set(present)


def test_calibration_of_a_small_case_worked_by_hand():
    confidence = np.array([0.95, 0.97, 0.99, 0.61, 0.62, 0.5], np.float32)
    right = np.array([True, True, False, True, False, False])
    bins = reliability_bins(confidence, right, bins=10)
    filled = [(entry.count, entry.right) for entry in bins if entry.count]
    assert filled == [(1, 0), (2, 1), (3, 2)]  # up to 0.5, up to 0.7, up to 1
    assert [entry.confidence for entry in bins if entry.count] == pytest.approx([0.5, 0.615, 0.97])
    by_hand = (abs(0 - 0.5) + abs(1 - 1.23) + abs(2 - 2.91)) / 6
    assert expected_calibration_error(bins) == pytest.approx(by_hand)


@pytest.mark.parametrize("count", [1, 7, 400])
def test_the_calibration_error_is_that_of_a_plain_loop(count):
    rng = np.random.default_rng(count)
    confidence = rng.random(count).astype(np.float32)
    confidence[: count // 4] = rng.integers(0, 16, count // 4) / 15  # on the edges
    right = rng.random(count) < confidence
    error, members = 0.0, 0
    for number in range(15):
        low, high = number / 15, (number + 1) / 15
        inside = [
            row
            for row in range(count)
            if (low < np.float64(confidence[row]) <= high) or (number == 0 and confidence[row] == 0)
        ]
        members += len(inside)
        if inside:
            gap = np.mean(right[inside]) - np.mean(confidence[inside].astype(np.float64))
            error += len(inside) / count * abs(gap)
    bins = reliability_bins(confidence, right)
    assert len(bins) == 15
    assert members == count == sum(entry.count for entry in bins)
    assert expected_calibration_error(bins) == pytest.approx(error)


def test_answers_that_are_as_sure_as_right_have_no_calibration_error():
    bins = reliability_bins(np.full(4, 0.75, np.float32), np.array([True, True, True, False]))
    assert expected_calibration_error(bins) == 0.0
    assert (
        expected_calibration_error(reliability_bins(np.ones(3, np.float32), np.ones(3, bool))) == 0
    )


def test_the_proper_scores_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]], np.float32)
    targets = np.array([0, 1])
    assert brier_score(probabilities, targets) == pytest.approx((0.09 + 0.04 + 0.01) / 2)
    assert negative_log_likelihood(probabilities, targets) == pytest.approx(-np.log(0.7) / 2)
    assert 80 < negative_log_likelihood(probabilities[1:], np.array([0])) < np.inf
    assert str(negative_log_likelihood(probabilities[1:], np.array([1]))) == "0.0"


def test_the_result_holds_what_the_page_draws():
    result = evaluate(
        answers([0, 0, 1], 2), np.array([0, 1, 1]), list("abc"), ("x", "y"), seed=0
    ).to_json()
    assert result["ece"] == pytest.approx(0.8 - 2 / 3, abs=1e-6)
    assert sum(entry["count"] for entry in result["reliability"]) == 3
    assert set(result["reliability"][0]) == {"low", "high", "count", "right", "confidence"}
