"""Thumbnails of mistakes, of escapes, of frames on the line."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray


def thumbnail(
    image: NDArray[np.uint8], *, pixels: int = 200 * 200, longest: int = 400
) -> NDArray[np.uint8]:
    """Shrink an image, with its proportions; never enlarge it.

    Args:
        image: uint8, H×W.
        pixels: at most so many; a strip keeps them too, or nothing could be seen on it.
        longest: at most so many a side.

    Returns:
        uint8, h×w.
    """
    height, width = image.shape
    scale = min(1.0, math.sqrt(pixels / (height * width)), longest / max(height, width))
    if scale == 1.0:
        return image
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
