"""Confidences that can be believed: a temperature for the network's outputs.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: one number, by which all logits
are divided, fitted to the validation part, so that what `--unsure-below` compares is a share of
right answers. It goes into the weights of the last layer, and every precision and engine has it for
nothing. Where tiles make an image it goes into the contract, and the combined probabilities are
sharpened by it: colder tiles come near to a vote, by which an image may get another label.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from edgecl.learning.evaluation.metrics import (
    expected_calibration_error,
    negative_log_likelihood,
    reliability_bins,
)
from edgecl.learning.loop.answers import TileAnswers
from edgecl.learning.model import Classifier
from runtime.artifact.manifest import ConfidenceFacts

FEWEST = 50
"""Validation images below which one temperature is as good as another."""

LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(
    answers: TileAnswers, targets: NDArray[np.int64], combine: str, passing: tuple[int, ...]
) -> float:
    """Return the temperature with the least negative log-likelihood on images.

    Args:
        answers: of the uncalibrated network.
        targets: int64, N.
        combine, passing: how tiles make an image, see `runtime.image.tiles.combine`.
    """

    def loss(logarithm: float) -> float:
        found = probabilities(answers, float(np.exp(logarithm)), combine, passing)
        return negative_log_likelihood(found, targets)

    bounds = (float(np.log(LOWEST)), float(np.log(HIGHEST)))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def probabilities(
    answers: TileAnswers, temperature: float, combine: str, passing: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return the images' probabilities at a temperature, float32 N×C; their labels stay."""
    logits = torch.from_numpy(answers.image_logits(combine, passing)) / temperature
    return torch.softmax(logits, dim=1).numpy()


def with_temperature(classifier: Classifier, temperature: float) -> Classifier:
    """Return the classifier with its last layer divided by a temperature; its classes stay."""
    calibrated = copy.deepcopy(classifier)
    with torch.no_grad():
        calibrated.head.weight.div_(temperature)
        calibrated.head.bias.div_(temperature)
    return calibrated


def describe(
    temperature: float,
    validation: tuple[TileAnswers, NDArray[np.int64]],
    test: tuple[TileAnswers, NDArray[np.int64]],
    combine: str,
    passing: tuple[int, ...],
) -> ConfidenceFacts:
    """Return what the temperature changed, on the images that it was fitted to and on others."""

    def errors(part: tuple[TileAnswers, NDArray[np.int64]]) -> tuple[float, float]:
        found = []
        for one in (1.0, temperature):
            said = probabilities(part[0], one, combine, passing)
            bins = reliability_bins(said.max(1), said.argmax(1) == part[1])
            found.append(expected_calibration_error(bins))
        return found[0], found[1]

    (before, after), (test_before, test_after) = errors(validation), errors(test)
    return ConfidenceFacts(
        temperature=temperature,
        images=len(validation[1]),
        error_before=before,
        error_after=after,
        test_error_before=test_before,
        test_error_after=test_after,
    )
