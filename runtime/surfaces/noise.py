"""The random fields that steel and its defects are made of."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""float32, H×W. What its values mean stands with the function that makes it."""

Shape = tuple[int, int]
"""(height, width) in pixels."""


def smooth_noise(shape: Shape, cell: tuple[float, float], rng: np.random.Generator) -> Field:
    """Gaussian noise that is smooth over `cell`.

    Args:
        shape: of the field.
        cell: distance in pixels (down, across) after which the noise is a different one; an
            infinite distance makes it constant along that axis, one below 1 counts as 1.

    Returns:
        Mean 0, variance about 1.
    """
    nodes = tuple(
        1 if math.isinf(step) else math.ceil(side / max(step, 1.0)) + 1
        for side, step in zip(shape, cell, strict=True)
    )
    if min(cell) <= 1.0:
        nodes = tuple(min(count, side) for count, side in zip(nodes, shape, strict=True))
    grid = rng.standard_normal(nodes, np.float32)
    if nodes == shape:
        return grid
    return np.asarray(cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def soft_step(field: Field, threshold: float, width: float) -> Field:
    """0 well below `threshold`, 1 well above, a ramp of `width` between."""
    ramp: Field = np.clip((field - threshold) / width + 0.5, 0, 1)
    return ramp


def upper_share(field: Field, share: float) -> float:
    """The value that about `share` of the field (0 to 1) lies above."""
    return float(np.quantile(field[::4, ::4], 1 - share))


def bent(field: Field, reach: float, cell: float, rng: np.random.Generator) -> Field:
    """Shift every pixel by noise, so that straight edges become ragged ones.

    Args:
        reach: typical shift in pixels.
        cell: distance in pixels over which the shift changes.
    """
    height, width = field.shape
    across = reach * smooth_noise((height, width), (cell, cell), rng)
    across += np.arange(width, dtype=np.float32)
    down = reach * smooth_noise((height, width), (cell, cell), rng)
    down += np.arange(height, dtype=np.float32)[:, None]
    moved = cv2.remap(field, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)


def blurred(field: Field, sigma: float) -> Field:
    """Gaussian blur with `sigma` in pixels; below 0.3 it would change nothing and is left out."""
    if sigma < 0.3:
        return field
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)


def lit_from(relief: Field, angle: float) -> Field:
    """Shade a relief by a low lamp: slopes that face it are bright, the others dark.

    Args:
        relief: heights, in any unit.
        angle: where the light comes from, in radians.

    Returns:
        Change of brightness, in units of height per pixel.
    """
    across = cv2.Sobel(relief, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    down = cv2.Sobel(relief, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
    return np.asarray(math.cos(angle) * across + math.sin(angle) * down, np.float32)
