"""A linear support vector machine on frozen embeddings, folded into a dense layer.

As a dense layer it is validated, exported and run like every other head; the probabilities of
such a classifier are the softmax of its decision margins, not calibrated ones.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from edgecl.learning.evaluation.probe import LinearProbe, as_dense_layer

MAX_ITERATIONS = 2000


def fit_linear_svm(
    embeddings: NDArray[np.float32], targets: NDArray[np.int64], classes: int
) -> LinearProbe:
    """Linear one-against-rest support vector machine with the widest margins, as one dense layer.

    Args:
        embeddings: float32, N×D, of images of the train part.
        targets: int64, N, class numbers below `classes`.
        classes: C; a class without an image gets a unit that never wins.
    """
    mean = embeddings.mean(axis=0)
    # Rows of length one on the average: what the usual penalty of 1 is made for.
    scale = (embeddings.std(axis=0) + 1e-6) * np.sqrt(embeddings.shape[1])
    machine = LinearSVC(max_iter=MAX_ITERATIONS, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit((embeddings - mean) / scale, targets)
    return as_dense_layer(machine, mean, scale, classes)
