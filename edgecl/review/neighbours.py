"""Labelled images that are nearest to one under review, by embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEAREST = 6
"""Images that are shown."""


@dataclass(frozen=True)
class Neighbour:
    """An image with a label.

    Args:
        digest: SHA-256 of its file.
        similarity: cosine of the embeddings, -1 to 1.
    """

    digest: str
    label: str
    similarity: float


class EmbeddingIndex:
    """Embeddings by the SHA-256 of the file.

    Args:
        digests: N.
        embeddings: float32, N×D.
    """

    def __init__(self, digests: Sequence[str], embeddings: NDArray[np.float32]) -> None:
        self._digests = tuple(digests)
        self._rows = {digest: row for row, digest in enumerate(digests)}
        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        self._unit = embeddings / np.maximum(lengths, np.float32(1e-12))

    def __len__(self) -> int:
        return len(self._digests)

    def nearest(
        self, digest: str, labels: Mapping[str, str], count: int = NEAREST
    ) -> list[Neighbour]:
        """Return the nearest other images with a label, the nearest first.

        Args:
            labels: by the SHA-256 of the file.
        """
        row = self._rows.get(digest)
        if row is None:
            return []
        others = np.array(
            [self._rows[name] for name in labels if name in self._rows and name != digest],
            np.int64,
        )
        if not len(others):
            return []
        similarity = self._unit[others] @ self._unit[row]
        order = np.argsort(-similarity, kind="stable")[:count]
        return [
            Neighbour(
                self._digests[others[place]],
                labels[self._digests[others[place]]],
                float(similarity[place]),
            )
            for place in order
        ]
