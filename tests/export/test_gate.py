"""The gate: what it measures and whom it stops."""

from __future__ import annotations

import numpy as np
import pytest

from export.gate import compare, reason_to_refuse


def answers(labels: list[int]) -> np.ndarray:
    probabilities = np.full((len(labels), 3), 0.1, np.float32)
    probabilities[np.arange(len(labels)), labels] = 0.8
    return probabilities


def test_what_is_measured():
    targets = np.array([0, 1, 2, 0])
    comparison = compare(answers([0, 1, 2, 1]), answers([0, 1, 1, 1]), targets)
    assert comparison.reference_accuracy == 0.75
    assert comparison.accuracy == 0.5
    assert comparison.drop == pytest.approx(25)
    assert comparison.agreement == 0.75
    assert comparison.max_abs_diff == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("wrong", "limit", "refused"), [(0, 0.0, False), (1, 0.5, False), (2, 0.5, True)]
)
def test_a_drop_beyond_the_limit_is_refused(wrong, limit, refused):
    targets = np.zeros(200, np.int64)
    candidate = answers([1] * wrong + [0] * (200 - wrong))
    reason = reason_to_refuse(compare(answers([0] * 200), candidate, targets), limit)
    assert bool(reason) == refused
    if refused:
        assert "1.00 points" in reason
        assert "200 validation pictures" in reason


def test_a_rise_is_never_refused():
    comparison = compare(answers([1, 1]), answers([0, 0]), np.zeros(2, np.int64))
    assert comparison.drop == -100
    assert reason_to_refuse(comparison, 0.0) == ""


def test_nan_counts_as_the_largest_change():
    broken = answers([0, 0])
    broken[1] = np.nan
    assert compare(answers([0, 0]), broken, np.zeros(2, np.int64)).max_abs_diff == 1.0


def test_answers_that_do_not_pair_are_an_error():
    with pytest.raises(ValueError, match="answers of shapes"):
        compare(answers([0]), answers([0, 1]), np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="for 0 pictures"):
        compare(answers([]), answers([]), np.zeros(0, np.int64))
