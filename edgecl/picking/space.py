"""The space in which images are near or far from each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

COMPONENTS = 64
"""Directions that are kept: 16 and whitened ones picked no better on NEU and GC10-DET."""

FITTED_ON = 20_000
"""Images that the directions are found on where there are more."""

_ROWS = 8192
# Spread of rows of length 1 below which they differ by rounding alone.
_ALIKE = 1e-5


def unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring each row to length 1; a row of zeros stays.

    Args:
        features: float32, N×D.
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = features / np.maximum(lengths, np.float32(1e-12))
    return scaled


def common_space(
    kinds: Sequence[NDArray[np.float32]], *, seed: int, components: int = COMPONENTS
) -> NDArray[np.float32]:
    """Join several descriptions of the same images, each with the same say, by PCA.

    Rows are brought to length 1 and each description to a total variance of 1.

    Args:
        kinds: float32, N×D each, finite.

    Returns:
        float32, N×min(`components`, N, ΣD). Images that are all described alike lie on one point.
    """
    parts = []
    for features in kinds:
        centred = unit(features)
        centred -= centred.mean(axis=0)
        spread = float(np.sqrt(np.square(centred).sum(axis=1).mean()))
        parts.append(centred / spread if spread > _ALIKE else np.zeros_like(centred))
    joined = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    count = len(joined)
    kept = min(components, *joined.shape)
    if not joined.any():  # PCA would divide by their variance
        return np.zeros((count, kept), np.float32)
    rows = np.arange(count)
    if count > FITTED_ON:
        rows = np.sort(np.random.default_rng(seed).choice(count, FITTED_ON, replace=False))
    found = PCA(kept, svd_solver="randomized", random_state=seed).fit(joined[rows])
    blocks = [found.transform(joined[start : start + _ROWS]) for start in range(0, count, _ROWS)]
    return np.concatenate(blocks).astype(np.float32)
