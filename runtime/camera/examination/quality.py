"""Light and focus of one frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import FrameError
from runtime.image.depth import depth_of

SIDE = 1024
"""Pixels a side of the middle of a larger frame, of which the focus is measured."""

SATURATED_FROM = 251 / 255
BLACK_UP_TO = 4 / 255
_WHITE = 255.0
_Samples = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class FrameQuality:
    """Light and focus.

    Args:
        brightness: the mean, as a share of white, 0 to 1.
        saturated: share of pixels at the upper end of the scale.
        black: share of pixels at its lower end.
        focus: the mean square of the gradient, in levels of 0 to 255 per pixel: the larger, the
            sharper, for the same scene and light.
    """

    brightness: float
    saturated: float
    black: float
    focus: float


def quality_of(pixels: NDArray[np.generic], bits: int | None = None) -> FrameQuality:
    """Measure a frame.

    Args:
        pixels: H×W (gray), or H×W×3 or 4 (BGR, BGRA), of which the gray is measured; uint8 or
            uint16.
        bits: how many bits of uint16 are used; from the values without it.

    Raises:
        FrameError: an array of another form.
    """
    gray = _gray(pixels)
    white = (
        _WHITE if gray.dtype == np.uint8 else float(2 ** (bits or depth_of(int(gray.max()))) - 1)
    )
    return FrameQuality(
        brightness=float(cv2.mean(gray)[0]) / white,
        saturated=float(np.count_nonzero(gray >= SATURATED_FROM * white)) / gray.size,
        black=float(np.count_nonzero(gray <= BLACK_UP_TO * white)) / gray.size,
        focus=_gradient_energy(_middle(gray).astype(np.float32) * (_WHITE / white)),
    )


def _gray(pixels: NDArray[np.generic]) -> _Samples:
    if pixels.size == 0 or pixels.dtype not in (np.uint8, np.uint16):
        raise FrameError(f"a frame of {pixels.dtype} and shape {pixels.shape} is not an image")
    if pixels.ndim == 2:
        return pixels  # type: ignore[return-value]
    codes = {3: cv2.COLOR_BGR2GRAY, 4: cv2.COLOR_BGRA2GRAY}
    if pixels.ndim != 3 or pixels.shape[2] not in codes:
        raise FrameError(f"a frame of shape {pixels.shape} is not gray, BGR or BGRA")
    gray: _Samples = cv2.cvtColor(pixels, codes[pixels.shape[2]])
    return gray


def _middle(gray: _Samples) -> _Samples:
    top, left = (max(0, (length - SIDE) // 2) for length in gray.shape)
    return gray[top : top + SIDE, left : left + SIDE]


def _gradient_energy(gray: NDArray[np.float32]) -> float:
    """Return the mean of the squared differences to the right and below, in squared levels."""
    right, below = np.diff(gray, axis=1), np.diff(gray, axis=0)
    return sum(float(np.mean(np.square(step))) for step in (right, below) if step.size)
