"""Distance of embeddings from those of the training images.

Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial
Attacks", NeurIPS 2018: the Mahalanobis distance to the nearest class, with one covariance for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainingSpace:
    """Where the training images lie, in coordinates in which every class is a unit ball.

    Args:
        centre: float32, D: the mean of all.
        whitening: float32, D×K: from an embedding less the centre to those coordinates.
        means: float32, C×K: of the classes, in those coordinates.
    """

    centre: NDArray[np.float32]
    whitening: NDArray[np.float32]
    means: NDArray[np.float32]

    def distances(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how far embeddings are from the nearest class, float32 N.

        NaN and infinity give the same.

        Args:
            embeddings: float32, N×D: of images, or of tiles.
        """
        placed = (embeddings - self.centre) @ self.whitening
        apart = placed[:, None, :] - self.means
        squared: NDArray[np.float32] = np.einsum("nck,nck->nc", apart, apart).min(axis=1)
        return np.sqrt(squared)


def image_distances(
    distances: NDArray[np.float32], counts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the images' distances, float32 N, from those of their tiles.

    Args:
        distances: float32, T, of all tiles, image after image.
        counts: int64, N, how many tiles each image has.
    """
    return np.maximum.reduceat(distances, np.cumsum(counts) - counts)
