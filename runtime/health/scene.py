"""Light and focus of a set of images, for a bundle's manifest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.scene import Quantiles, SceneRecord
from runtime.health.statistics import level, measure, sharpness

MOST_IMAGES = 2_000
"""Images that are measured of a larger set, evenly over it."""


def scene_of(images: NDArray[np.uint8]) -> SceneRecord | None:
    """Return light and focus of images as the model sees them; None for an empty set.

    Args:
        images: uint8, N×H×W.
    """
    if not len(images):
        return None
    rows = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST_IMAGES)).astype(int))
    chosen = [images[row] for row in rows]
    ends = [measure(image) for image in chosen]
    return SceneRecord(
        images=len(chosen),
        level=_quantiles([level(image) for image in chosen]),
        sharpness=_quantiles([sharpness(image) for image in chosen]),
        black=float(np.quantile([found.black for found in ends], 0.99)),
        saturated=float(np.quantile([found.saturated for found in ends], 0.99)),
    )


def _quantiles(values: Sequence[float]) -> Quantiles:
    q01, q50, q99 = np.quantile(values, [0.01, 0.5, 0.99]).tolist()
    return Quantiles(q01=q01, q50=q50, q99=q99)
