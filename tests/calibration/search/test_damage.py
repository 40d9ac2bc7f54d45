"""Damage counts images, and sees the logits behind a softmax."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calibration.search.damage import centred_logits, measure_damage, signal_to_noise


def softmax(logits) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


def test_images_lost_and_gained_are_counted_apart():
    reference = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]
    candidate = np.eye(3, dtype=np.float32)[[0, 1, 1, 1, 2]]
    damage = measure_damage(reference, candidate, np.array([0, 1, 2, 1, 0]))
    assert (damage.lost, damage.gained) == (1, 1)
    assert damage.accuracy == pytest.approx(3 / 5)
    assert damage.agreement == pytest.approx(2 / 5)


def test_logits_come_back_from_probabilities_up_to_their_mean():
    logits = np.random.default_rng(0).normal(0, 5, (50, 6))
    expected = logits - logits.mean(1, keepdims=True)
    np.testing.assert_allclose(centred_logits(softmax(logits)), expected, atol=1e-4)


def test_the_signal_to_noise_is_that_of_the_logits():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, (500, 6))
    noise = rng.normal(0, 0.01, logits.shape)
    damage = measure_damage(softmax(logits), softmax(logits + noise), np.zeros(500, np.int64))
    assert damage.snr_db == pytest.approx(40, abs=0.5)


def test_the_same_answers_have_no_noise_and_broken_ones_no_signal():
    reference = softmax(np.random.default_rng(0).normal(0, 1, (4, 3)))
    targets = reference.argmax(1)
    same = measure_damage(reference, reference, targets)
    assert (same.snr_db, same.agreement, same.lost) == (math.inf, 1.0, 0)
    broken = measure_damage(reference, np.full_like(reference, np.nan), targets)
    assert (broken.snr_db, broken.agreement, broken.accuracy) == (-math.inf, 0.0, 0.0)
    assert broken.lost == 4


def test_a_probability_of_zero_is_no_infinity():
    damage = measure_damage(
        np.array([[1, 0]], np.float32), np.array([[0.9, 0.1]], np.float32), np.array([0])
    )
    assert math.isfinite(damage.snr_db)
    assert signal_to_noise(np.zeros((1, 2)), np.ones((1, 2))) == -math.inf


def test_other_shapes_are_refused():
    two, none = np.zeros((2, 3), np.float32), np.zeros((0, 3), np.float32)
    with pytest.raises(ValueError, match="images"):
        measure_damage(two, two[:, :2], np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="0 images"):
        measure_damage(none, none, np.zeros(0, np.int64))
