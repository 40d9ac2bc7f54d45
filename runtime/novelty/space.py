"""Distance of embeddings from those of the training images.

Mahalanobis's distance to the nearest class (Lee et al., NeurIPS 2018) is large for many known
images too: most of it lies in directions that tell no class from another. So it is taken relative
to the distance from all classes together, as Ren et al. propose ("A Simple Fix to Mahalanobis
Distance for Improving Near-OOD Detection", 2021); here by a ratio, which has no sign.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.tiling import MEAN


@dataclass(frozen=True)
class TrainingSpace:
    """Place of the training images among embeddings.

    Args:
        centre: float32, D: the mean of all.
        within: float32, D×K: from an embedding less the centre to coordinates in which every class
            is a unit ball.
        means: float32, C×K: of the classes, in those coordinates.
        overall: float32, D×L: from an embedding less the centre to coordinates in which all classes
            together are one.
    """

    centre: NDArray[np.float32]
    within: NDArray[np.float32]
    means: NDArray[np.float32]
    overall: NDArray[np.float32]

    def distances(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how far embeddings are from the nearest class, float32 N.

        NaN and infinity give NaN.

        Args:
            embeddings: float32, N×D: of images, or of tiles.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            placed = (embeddings - self.centre) @ self._maps
            size = self.within.shape[1]
            apart = placed[:, None, :size] - self.means
            nearest = np.einsum("nck,nck->nc", apart, apart).min(axis=1)
            overall = placed[:, size:]
            # The one is little beside the sum over all directions; without it, the very centre
            # would be infinitely far.
            relative: NDArray[np.float32] = nearest / (1 + np.einsum("nk,nk->n", overall, overall))
            return np.sqrt(relative)

    def distance(self, embedding: NDArray[np.float32]) -> float:
        """Return how far one embedding is, as `distances` does: in fewer and lighter calls.

        Between two frames of a camera, code and maps leave the caches: what is called costs more
        than what is computed. So NumPy's warnings of infinite numbers are left to the caller, who
        can turn them off once: see `np.errstate`.

        Args:
            embedding: float32, D.
        """
        size = self.within.shape[1]
        placed = (embedding - self.centre).dot(self._maps)
        nearest = min([float(row.dot(row)) for row in placed[:size] - self.means])
        overall = placed[size:]
        return math.sqrt(nearest / (1 + float(overall.dot(overall))))

    @cached_property
    def _maps(self) -> NDArray[np.float32]:
        """Both maps side by side, contiguous: an embedding meets them in one product."""
        return np.hstack([self.within, self.overall])


def image_distance(distances: NDArray[np.float32], combine: str) -> float:
    """Return an image's distance from those of its tiles, combined as their answers are.

    Args:
        distances: float32, T.
        combine: `mean`, or `worst` for the farthest tile's.
    """
    return float(distances.mean() if combine == MEAN else distances.max())


def image_distances(
    distances: NDArray[np.float32], counts: NDArray[np.int64], combine: str
) -> NDArray[np.float32]:
    """Return the distances of N images, float32 N, from those of all their tiles.

    Args:
        distances: float32, T, image after image.
        counts: int64, N, how many tiles each image has.
        combine: see `image_distance`.
    """
    parts = np.split(distances, np.cumsum(counts)[:-1])
    return np.array([image_distance(part, combine) for part in parts], np.float32)
