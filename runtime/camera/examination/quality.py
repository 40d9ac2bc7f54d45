"""Light and focus of one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.image.depth import depth_of
from runtime.image.gray import BLACK_UP_TO, SATURATED_FROM, WHITE, without_colour

SIDE = 1024
"""Pixels a side of the middle of a larger frame, of which the focus is measured."""


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
    gray: NDArray[Any] = without_colour(pixels)
    white = WHITE if gray.dtype == np.uint8 else float(2 ** (bits or depth_of(int(gray.max()))) - 1)
    return FrameQuality(
        brightness=float(cv2.mean(gray)[0]) / white,
        saturated=float(np.count_nonzero(gray >= SATURATED_FROM / WHITE * white)) / gray.size,
        black=float(np.count_nonzero(gray <= BLACK_UP_TO / WHITE * white)) / gray.size,
        focus=_gradient_energy(_middle(gray).astype(np.float32) * (WHITE / white)),
    )


def _middle(gray: NDArray[np.generic]) -> NDArray[np.generic]:
    top, left = (max(0, (length - SIDE) // 2) for length in gray.shape)
    return gray[top : top + SIDE, left : left + SIDE]


def _gradient_energy(gray: NDArray[np.float32]) -> float:
    """Return the mean of the squared differences to the right and below, in squared levels."""
    right, below = np.diff(gray, axis=1), np.diff(gray, axis=0)
    return sum(float(np.mean(np.square(step))) for step in (right, below) if step.size)
