"""Layout of embeddings on a plane, for plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from runtime.files.atomic import replacing
from runtime.files.table import new_table

EMBEDDING = "embedding.csv"
LIMIT = 1000
"""Maximum number of points: some seconds of one core, and as many as a plot can show."""
PERPLEXITY = 30.0
ITERATIONS = 1000
# With fewer points than this there are no neighbourhoods to keep.
_TSNE_FROM = 20


@dataclass(frozen=True)
class EmbeddingMap:
    """Position on the plane of each of some images.

    Args:
        rows: int64, M, which images were laid out, ascending.
        places: float64, M×2.
        method: `t-SNE` or `PCA`.
        perplexity: of t-SNE, the size of the neighbourhoods it keeps; None for PCA.
        count: how many images there were.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.float64]
    method: str
    perplexity: float | None
    count: int

    def to_json(self) -> dict[str, Any]:
        """Return the method, for result.json; the coordinates go into a table of their own."""
        return {
            "method": self.method,
            "perplexity": self.perplexity,
            "shown": len(self.rows),
            "of": self.count,
        }


def map_embeddings(
    embeddings: NDArray[np.float32], *, seed: int, limit: int = LIMIT
) -> EmbeddingMap:
    """Lay embeddings out by t-SNE (van der Maaten and Hinton 2008), or by PCA where they are few.

    t-SNE starts from the principal components, so its outcome hardly depends on the seed. It
    keeps neighbours together; sizes of clusters and distances between them mean little.

    Args:
        embeddings: float32, N×D, finite.
        seed: draws the images where there are more than `limit`, and goes to t-SNE.
        limit: how many are laid out at most.
    """
    count = len(embeddings)
    rows = np.arange(count)
    if count > limit:
        rows = np.sort(np.random.default_rng(seed).choice(count, limit, replace=False))
    points = embeddings[rows].astype(np.float64)
    points -= points.mean(axis=0)
    spread = float(np.abs(points).max(initial=0.0))
    if spread == 0.0:  # all the same: one place for all
        return EmbeddingMap(rows, np.zeros((len(rows), 2)), "PCA", None, count)
    # Both methods do without a scale of their own; squares of large values would overflow.
    points /= spread
    if points.shape[1] == 1:
        points = np.pad(points, ((0, 0), (0, 1)))
    if len(rows) < _TSNE_FROM:
        places = PCA(2, svd_solver="full").fit_transform(points)
        return EmbeddingMap(rows, places, "PCA", None, count)
    perplexity = min(PERPLEXITY, float((len(rows) - 1) // 3))
    method = TSNE(init="pca", perplexity=perplexity, max_iter=ITERATIONS, random_state=seed)
    places = np.asarray(method.fit_transform(points), np.float64)
    return EmbeddingMap(rows, places, "t-SNE", perplexity, count)


def write_embedding(
    run: Path,
    layout: EmbeddingMap,
    *,
    files: Sequence[str],
    targets: NDArray[np.int64],
    predicted: NDArray[np.int64],
    labels: Sequence[str],
) -> None:
    """Write embedding.csv: a row per image that was laid out.

    Args:
        files: N names.
        targets: int64, N.
        predicted: int64, N.
        labels: C names.

    Raises:
        InputError: the file cannot be written.
    """
    with (
        replacing(run / EMBEDDING) as path,
        new_table(path) as write_row,
    ):
        write_row(["file", "truth", "predicted", "x", "y"])
        for row, (x, y) in zip(layout.rows.tolist(), layout.places.tolist(), strict=True):
            truth, answer = labels[int(targets[row])], labels[int(predicted[row])]
            write_row([files[row], truth, answer, f"{x:.6g}", f"{y:.6g}"])
