"""Images that a model doubts: what to label once there are labels enough to ask one.

The least margins alone may all lie at one border, in near copies of one another. So all images are
clustered, each weighted by the doubt about it, and each cluster gives one: Prabhu, Chandrasekaran,
Saenko and Hoffman, "Active Domain Adaptation via Clustering Uncertainty-weighted Embeddings",
ICCV 2021 (CLUE), whose doubt is the entropy.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from edgecl.learning.teachers.choice import grouped_folds, out_of_fold
from edgecl.learning.teachers.classical import Model, answers
from edgecl.picking.typical import AreCopies, find_clusters, pick_by_cluster

ENOUGH = 10
"""Labelled images per class, on average, from which a model's doubts are asked for."""

MOST_LEARNT = 5000
"""Labelled images that a model learns from at most."""

# Inverse of the regularisation. A discriminant would be sure of nearly everything.
_STRENGTH = 300.0
# Weight of an image that the model is sure of: a cluster needs some.
_SURE = 1e-6


@dataclass(frozen=True)
class ModelAnswers:
    """ModelAnswers of a model to all images.

    Args:
        model: its name.
        labels: class names.
        probabilities: float32, N×C.
    """

    model: str
    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]

    def margins(self) -> NDArray[np.float64]:
        """Return the differences of the two most probable classes, float64 N, 0 to 1."""
        best = np.sort(self.probabilities.astype(np.float64), axis=1)
        return np.asarray(best[:, -1] - best[:, -2], np.float64)

    def between(self, row: int) -> tuple[str, str]:
        """Return the two most probable classes of an image."""
        first, second = np.argsort(-self.probabilities[row], kind="stable")[:2]
        return self.labels[first], self.labels[second]


def enough_labels(targets: NDArray[np.int64]) -> bool:
    """Whether a model that learnt from these labels may be asked for its doubts.

    Args:
        targets: int64, class numbers of the labelled images.
    """
    classes = len(np.unique(targets))
    return classes > 1 and len(targets) >= ENOUGH * classes


def learn_and_answer(
    points: NDArray[np.float32],
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    labels: tuple[str, ...],
    *,
    seed: int,
) -> ModelAnswers:
    """Fit logistic regression to the labelled images, and ask it for all.

    Args:
        points: float32, N×D, of a total variance of about 1.
        rows, targets: int64, M each: the labelled images and their classes, two at least.
        labels: C names.
    """
    if len(rows) > MOST_LEARNT:
        drawn = np.sort(np.random.default_rng(seed).choice(len(rows), MOST_LEARNT, replace=False))
        rows, targets = rows[drawn], targets[drawn]
    known, classes = points[rows], len(labels)
    folds = grouped_folds(targets, [str(row) for row in rows.tolist()], seed)
    asked = out_of_fold(_fit, known, targets, folds, classes)
    accuracy = float((asked.argmax(1) == targets).mean())
    name = f"logistic regression on the labelled images, {accuracy:.1%} right out of fold"
    return ModelAnswers(name, labels, answers(_fit(known, targets), points, classes))


def _fit(points: NDArray[np.float32], targets: NDArray[np.int64]) -> Model:
    model = LogisticRegression(C=_STRENGTH, max_iter=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(points, targets)
    fitted: Model = model
    return fitted


def pick_doubtful(
    points: NDArray[np.float32],
    margins: NDArray[np.float64],
    *,
    free: NDArray[np.bool_],
    count: int,
    are_copies: AreCopies,
    seed: int,
) -> NDArray[np.int64]:
    """Pick doubtful images that differ from one another: the middle of each weighted cluster.

    An image weighs what its margin lacks of 1, so that clusters are small where doubts are.

    Args:
        points, margins: float32 N×D and float64 N.
        free: bool N, what may be picked.
        are_copies: which of some rows are copies of picked ones; they are passed over.

    Returns:
        int64, at most `count` rows, in the order in which they were picked: the cluster with the
        most doubts first.
    """
    rows = np.flatnonzero(free)
    places = points[rows].astype(np.float64)
    weights = 1 - margins[rows] + _SURE
    clusters = find_clusters(points[rows], count, seed=seed, weights=weights)
    number = int(clusters.max(initial=-1)) + 1
    centres = np.zeros((number, places.shape[1]))
    np.add.at(centres, clusters, weights[:, None] * places)
    centres /= np.bincount(clusters, weights, minlength=number)[:, None]
    found = pick_by_cluster(
        -np.linalg.norm(places - centres[clusters], axis=1),
        clusters,
        free=np.ones(len(rows), np.bool_),
        labelled=np.zeros(len(rows), np.bool_),
        count=count,
        are_copies=lambda some, picked: are_copies(rows[some], rows[picked]),
        weights=weights,
    )
    picked: NDArray[np.int64] = rows[found]
    return picked
