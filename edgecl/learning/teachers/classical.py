"""Teachers on fixed features: a linear discriminant or logistic regression, with self-training."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edgecl.learning.teachers.covariance import ShrunkCovariance

ROUNDS = (0.5, 0.75, 1.0)
"""Shares of the unlabelled images that each round of self-training takes, the surest ones first."""


class Model(Protocol):
    """Fitted classifier on features."""

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return probabilities, N×K, of the classes in `classes_`."""
        ...

    @property
    def classes_(self) -> NDArray[np.int64]:
        """Class numbers, int64 K, in the order of the probabilities."""
        ...


Fit = Callable[[NDArray[np.float32], NDArray[np.int64]], Model]


FEWEST_TO_DISCRIMINATE = 3
"""Images that one class at least must have for a discriminant: two deviate along one line, which is
taken for certain, so that the covariance is hardly shrunk and the answers are chance."""


@dataclass(frozen=True)
class Discriminant:
    """Linear discriminant of K classes on D features.

    Args:
        weights: float64, D×K.
        offsets: float64, K.
        classes_: int64, K, the class numbers.
    """

    weights: NDArray[np.float64]
    offsets: NDArray[np.float64]
    classes_: NDArray[np.int64]

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return probabilities, N×K, of features, N×D."""
        found: NDArray[np.float64] = special.softmax(features @ self.weights + self.offsets, axis=1)
        return found


def fit_discriminant(features: NDArray[np.float32], targets: NDArray[np.int64]) -> Discriminant:
    """Fit a linear discriminant whose covariance is shrunk (Ledoit and Wolf 2004).

    What scikit-learn's `lsqr` solver with `shrinkage="auto"` gives, in a small part of its time.

    Args:
        features: float32, N×D.
        targets: int64, N, at least two classes.
    """
    values = features.astype(np.float64)
    classes, counts = np.unique(targets, return_counts=True)
    priors = counts / len(targets)
    of_class = [values[targets == number] for number in classes]
    means = np.array([rows.mean(axis=0) for rows in of_class])
    weights = ShrunkCovariance.within(of_class, priors).solve(means.T)
    offsets = np.log(priors) - 0.5 * np.einsum("kd,dk->k", means, weights)
    return Discriminant(weights, offsets, classes)


def fit_regression(features: NDArray[np.float32], targets: NDArray[np.int64]) -> Model:
    """Fit logistic regression on standardised features.

    Args:
        features: float32, N×D.
        targets: int64, N, at least two classes.
    """
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features, targets)
    fitted: Model = model
    return fitted


@dataclass(frozen=True)
class SoftLabels:
    """Answers of a teacher.

    Args:
        probabilities: float32, N×C.
    """

    probabilities: NDArray[np.float32]

    def accuracy(self, targets: NDArray[np.int64]) -> float:
        """Share of right answers, 0 to 1."""
        return float((self.probabilities.argmax(1) == targets).mean())


def answers(model: Model, features: NDArray[np.float32], classes: int) -> NDArray[np.float32]:
    """Return probabilities of all classes, float32 N×C; 0 for one that the model does not know."""
    found = np.zeros((len(features), classes), np.float32)
    found[:, model.classes_] = model.predict_proba(features)
    return found


def self_trained(
    fit: Fit,
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    unlabelled: NDArray[np.float32],
) -> Model:
    """Fit, label the unlabelled, and fit again on both, round by round.

    Each round takes the surest of its answers, class by class, so that no class is crowded out.

    Args:
        features, targets: float32 N×D and int64 N, labelled.
        unlabelled: float32, M×D.
    """
    model = fit(features, targets)
    for share in ROUNDS if len(unlabelled) else ():
        probabilities = model.predict_proba(unlabelled)
        guessed, surely = probabilities.argmax(1), probabilities.max(1)
        taken = np.zeros(len(unlabelled), bool)
        for number in np.unique(guessed):
            rows = np.flatnonzero(guessed == number)
            taken[rows[np.argsort(-surely[rows], kind="stable")[: round(share * len(rows))]]] = True
        model = fit(
            np.concatenate((features, unlabelled[taken])),
            np.concatenate((targets, model.classes_[guessed[taken]])),
        )
    return model
