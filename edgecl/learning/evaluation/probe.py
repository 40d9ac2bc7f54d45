"""Linear probe and nearest neighbours: how separable the classes are in frozen embeddings.

The probe's weights are also where fine-tuning starts. Kumar et al., "Fine-Tuning can Distort
Pretrained Features and Underperform Out-of-Distribution", ICLR 2022: a random head drags the
encoder away from what it learnt before the head has learnt anything.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

MAX_ITERATIONS = 200
NEVER = -1e4
NEIGHBOURS = 20
SMALLEST_SPREAD = 0.05


@dataclass(frozen=True)
class LinearProbe:
    """A dense layer on embeddings.

    Args:
        weight: float32, C×D.
        bias: float32, C.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def predict(self, embeddings: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the classes of N×D embeddings, int64 N."""
        found: NDArray[np.int64] = (embeddings @ self.weight.T + self.bias).argmax(1)
        return found

    def accuracy(self, embeddings: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
        """Share of right answers on N×D embeddings, 0 to 1."""
        return float((self.predict(embeddings) == targets).mean())


def fit_linear_probe(
    embeddings: NDArray[np.float32], targets: NDArray[np.int64], classes: int
) -> LinearProbe:
    """Logistic regression on frozen embeddings, as one dense layer on the raw ones.

    Args:
        embeddings: float32, N×D, of images of the train part.
        targets: int64, N, class numbers below `classes`.
        classes: C; a class without an image gets a unit that never wins.
    """
    mean, spread = embeddings.mean(axis=0), embeddings.std(axis=0)
    # A dimension that hardly moves would get a weight that explodes as soon as it does.
    deviation = np.maximum(spread, SMALLEST_SPREAD * np.sqrt((spread**2).mean())) + 1e-6
    regression = LogisticRegression(max_iter=MAX_ITERATIONS)
    with warnings.catch_warnings():
        # A probe that stopped early is still a lower bound, and says what is asked of it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit((embeddings - mean) / deviation, targets)
    return as_dense_layer(regression, mean, deviation, classes)


def as_dense_layer(
    model: Any, mean: NDArray[np.float32], deviation: NDArray[np.float32], classes: int
) -> LinearProbe:
    """A linear model of scikit-learn, fitted on standardised embeddings, for the raw ones.

    Args:
        model: with `coef_`, `intercept_` and `classes_`.
        mean, deviation: float32, D, what the embeddings were standardised by.
        classes: C; one that the model does not know gets a unit that never wins.
    """
    coefficients, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn gives one row for two classes
        coefficients = np.concatenate((-coefficients, coefficients)) / 2
        intercept = np.concatenate((-intercept, intercept)) / 2
    weight = np.zeros((classes, len(mean)))
    bias = np.full(classes, NEVER)
    weight[model.classes_] = coefficients / deviation
    bias[model.classes_] = intercept - coefficients @ (mean / deviation)
    return LinearProbe(weight.astype(np.float32), bias.astype(np.float32))


def knn_accuracy(
    embeddings: NDArray[np.float32],
    targets: NDArray[np.int64],
    held_out: NDArray[np.float32],
    held_out_targets: NDArray[np.int64],
) -> float:
    """Share of held-out images that their nearest known ones, by cosine, name rightly.

    Nothing is fitted: what this reaches lies in the embedding itself.

    Args:
        embeddings, targets: float32 N×D and int64 N, of the train part.
        held_out, held_out_targets: float32 M×D and int64 M.

    Returns:
        0 to 1, with the votes of `NEIGHBOURS` images, or of all where there are fewer.
    """
    voters = KNeighborsClassifier(min(NEIGHBOURS, len(embeddings)), metric="cosine")
    voters.fit(embeddings, targets)
    return float((voters.predict(held_out) == held_out_targets).mean())
