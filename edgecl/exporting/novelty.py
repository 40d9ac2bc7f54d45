"""Place of a run's training images, from which the line measures how far a frame is."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from edgecl.data.dataset import ImageSet
from edgecl.learning.loop.answers import answer_tiles
from edgecl.learning.model import Classifier
from runtime.novelty import TrainingSpace

MOST_IMAGES = 2_000
"""Training images whose embeddings are taken of a larger set, evenly over it."""

# Variance in one direction, relative to the largest, below which there is nothing but rounding.
_NO_VARIANCE = 1e-9


def space_of_run(
    classifier: Classifier, dataset: ImageSet, train: NDArray[np.int64]
) -> tuple[TrainingSpace, int]:
    """Return where the train part lies, and how many of its images were looked at.

    Args:
        classifier: as trained, in evaluation mode.
        train: int64, rows of `dataset`.
    """
    if len(train) > MOST_IMAGES:
        train = train[np.linspace(0, len(train) - 1, MOST_IMAGES).round().astype(np.int64)]
    answers = answer_tiles(classifier, dataset.images[train], torch.device("cpu"))
    targets = np.repeat(dataset.targets[train], answers.counts)
    return fit_space(answers.embeddings, targets), len(train)


def fit_space(embeddings: NDArray[np.float32], targets: NDArray[np.int64]) -> TrainingSpace:
    """Return the coordinates in which every class is a unit ball, and those in which all are one.

    The covariance within classes is one for all. Both are shrunk as Ledoit and Wolf do ("A
    well-conditioned estimator for large-dimensional covariance matrices", 2004).

    Args:
        embeddings: float32, T×D, of tiles or of whole images.
        targets: int64, T, the classes of their images.
    """
    values = embeddings.astype(np.float64)
    centre = values.mean(0)
    classes, numbers = np.unique(targets, return_inverse=True)
    means = np.stack([values[numbers == number].mean(0) for number in range(len(classes))])
    within = _whitening(values - means[numbers])
    return TrainingSpace(
        centre.astype(np.float32),
        within.astype(np.float32),
        ((means - centre) @ within).astype(np.float32),
        _whitening(values - centre).astype(np.float32),
    )


def _whitening(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a map to coordinates of unit variance, D×D."""
    covariance, _ = ledoit_wolf(centred, assume_centered=True)
    variances, directions = np.linalg.eigh(covariance)
    least = _NO_VARIANCE * max(float(variances.max()), _NO_VARIANCE)
    whitening: NDArray[np.float64] = directions / np.sqrt(np.maximum(variances, least))
    return whitening
