"""Images as bytes of a file."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError


def png_of(pixels: NDArray[np.generic]) -> bytes:
    """Return a frame as PNG, with the samples that it has, packed quickly rather than small.

    Args:
        pixels: H×W, H×W×3 (BGR) or H×W×4 (BGRA); uint8 or uint16.

    Raises:
        InputError: OpenCV makes none of it.
    """
    return _encoded(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, 1))


def jpeg_of(pixels: NDArray[np.generic], quality: int) -> bytes:
    """Return a frame as JPEG.

    Args:
        pixels: H×W or H×W×3 (BGR), uint8.
        quality: 1 to 100.

    Raises:
        InputError: OpenCV makes none of it.
    """
    return _encoded(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))


def _encoded(suffix: str, pixels: NDArray[np.generic], options: Sequence[int]) -> bytes:
    try:
        done, encoded = cv2.imencode(suffix, pixels, options)
    except cv2.error:
        done = False
    if not done:
        raise InputError(
            f"OpenCV made no {suffix[1:].upper()} of a frame of shape {pixels.shape} and type "
            f"{pixels.dtype}",
            hint="choose another pixel format",
        )
    return bytes(encoded.tobytes())
