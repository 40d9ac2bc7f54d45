"""Difference between the outputs of a quantised network and of FP32."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Damage:
    """A quantised network beside FP32, on the same images.

    Args:
        accuracy: share of right answers, 0 to 1.
        agreement: share of images with FP32's label, 0 to 1.
        lost: images that FP32 has right and this one wrong.
        gained: the other way round.
        snr_db: of the logits, in decibels; infinite where they are the same.
    """

    accuracy: float
    agreement: float
    lost: int
    gained: int
    snr_db: float


def measure_damage(
    reference: NDArray[np.float32],
    candidate: NDArray[np.float32],
    targets: NDArray[np.int64],
) -> Damage:
    """Compare two sets of answers.

    Args:
        reference: float32, N×C, probabilities of FP32.
        candidate: float32, N×C, those of the quantised network.
        targets: int64, N, at least one.

    Raises:
        ValueError: shapes that differ, or no images.
    """
    if reference.shape != candidate.shape or len(targets) != len(reference) or not len(targets):
        raise ValueError(
            f"answers of shapes {reference.shape} and {candidate.shape} for {len(targets)} images"
        )
    # A row with a NaN has no label, and so never the right one.
    answered = np.where(np.isfinite(candidate).all(1), candidate.argmax(1), -1)
    expected = reference.argmax(1)
    was, now = expected == targets, answered == targets
    return Damage(
        accuracy=float(now.mean()),
        agreement=float((answered == expected).mean()),
        lost=int((was & ~now).sum()),
        gained=int((now & ~was).sum()),
        snr_db=signal_to_noise(centred_logits(reference), centred_logits(candidate)),
    )


def centred_logits(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """The logits behind a softmax, up to what it cannot see: each row has a mean of zero.

    Args:
        probabilities: float32, N×C. Those that underflowed to zero count as the smallest there is.
    """
    floor = np.finfo(np.float32).tiny
    logs = np.log(np.maximum(probabilities.astype(np.float64), floor))
    return np.asarray(logs - logs.mean(1, keepdims=True), np.float64)


def signal_to_noise(signal: NDArray[np.float64], noisy: NDArray[np.float64]) -> float:
    """Power of `signal` over the power of its difference from `noisy`, in decibels."""
    power, noise = float(np.square(signal).sum()), float(np.square(noisy - signal).sum())
    if math.isnan(noise):
        return -math.inf
    if not noise:
        return math.inf
    return 10 * math.log10(power / noise) if power else -math.inf
