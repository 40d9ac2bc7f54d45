"""Frames that a benchmark judges: drawn, seeded, several distinct ones."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

DISTINCT = 8
"""Number of distinct frames: enough that no branch predictor or cache learns an image."""

DESCRIPTION = "gray texture of blurred noise, drawn from a seed"


def draw_frames(
    height: int, width: int, *, seed: int, count: int = DISTINCT
) -> list[NDArray[np.uint8]]:
    """Gray frames with the grain of rolled metal: noise blurred along the rolling direction.

    Args:
        height: pixels.
        width: pixels.
        seed: the same seed gives the same frames.
        count: how many distinct frames.

    Returns:
        uint8 images, H×W.
    """
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        grain, light = rng.standard_normal((2, height, width), np.float32)
        rolled = cv2.GaussianBlur(grain, (0, 0), sigmaX=6, sigmaY=1)
        uneven = cv2.GaussianBlur(light, (0, 0), sigmaX=40, sigmaY=40)
        image = 128 + 24 * _unit(rolled) + 18 * _unit(uneven)
        frames.append(np.clip(image, 0, 255).astype(np.uint8))
    return frames


def _unit(values: Any) -> NDArray[np.float32]:
    # A small frame is a single patch of light: without its mean it would be black or white.
    spread = float(np.std(values)) or 1.0
    return np.asarray((values - np.mean(values)) / spread, np.float32)
