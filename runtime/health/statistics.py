"""Cheap statistics of a frame, on a grid of its pixels."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SAMPLES = 16_384
"""Pixels that are looked at, about; of a smaller frame all."""

WHITE = 255.0
_BLACK_UP_TO = 4.0
_SATURATED_FROM = 251.0
_SHARP_FROM = 16
_NO_STRUCTURE = 0.1  # in levels


@dataclass(frozen=True, slots=True)
class FrameStatistics:
    """Statistics of one frame.

    Args:
        shape: of the frame.
        dtype: of its samples, in words.
        samples: float32, h×w, gray: the grid that was looked at, on the scale 0 to 255.
        key: CRC of the grid as it was delivered.
        mean: of `samples`, as a share of white, 0 to 1.
        black: share of samples at the lower end of the scale, 0 to 1.
        saturated: share at its upper end.
    """

    shape: tuple[int, ...]
    dtype: str
    samples: NDArray[np.float32]
    key: int
    mean: float
    black: float
    saturated: float


def measure(pixels: NDArray[np.generic], *, bits: int | None = None) -> FrameStatistics:
    """Measure a frame. The cost hardly depends on its size.

    Args:
        pixels: H×W, H×W×1, H×W×3 (BGR) or H×W×4 (BGRA); uint8 or uint16.
        bits: how many bits of uint16 are used; all 16 where nothing says.

    Raises:
        ValueError: an empty frame, or one of another form.
    """
    if pixels.size == 0 or pixels.ndim not in (2, 3):
        raise ValueError(f"a frame of shape {pixels.shape} is not an image")
    step = _step(pixels.shape[0], pixels.shape[1])
    grid = _grid(pixels, step)
    gray = _gray(grid)
    white = WHITE if gray.dtype == np.uint8 else float((1 << (bits or 16)) - 1)
    samples = gray.astype(np.float32)
    if white != WHITE:
        samples *= WHITE / white
    count = samples.size
    return FrameStatistics(
        shape=pixels.shape,
        dtype=str(pixels.dtype),
        samples=samples,
        key=zlib.crc32(grid.data),
        mean=cv2.mean(samples)[0] / WHITE,
        black=cv2.countNonZero(cv2.compare(samples, _BLACK_UP_TO, cv2.CMP_LE)) / count,
        saturated=cv2.countNonZero(cv2.compare(samples, _SATURATED_FROM, cv2.CMP_GE)) / count,
    )


def level(image: NDArray[np.uint8]) -> float:
    """Return the mean of an image as the model sees it, as a share of white.

    Args:
        image: uint8, H×W.
    """
    return float(cv2.mean(image)[0]) / WHITE


def sharpness(image: NDArray[np.uint8]) -> float:
    """Return how much finer structures are than coarse ones: about 1 in sharp images of anything.

    The root mean square of the Laplacian of the image at half its size, over that at an eighth.
    Neither light nor contrast changes it; a lens out of focus takes the fine structures first.
    White noise alone gives 4.

    Args:
        image: uint8, H×W, as the model sees it. A blank one gives 1, and so does one with fewer
            than 16 pixels a side.
    """
    if min(image.shape) < _SHARP_FROM:
        return 1.0
    half = _halved(image)
    fine, coarse = _roughness(half), _roughness(_halved(_halved(half)))
    return fine / coarse if coarse > _NO_STRUCTURE else 1.0


def _step(height: int, width: int) -> int:
    """The grid's distance, odd, so that it does not meet the same pixels of all JPEG blocks."""
    step = max(1, math.ceil(math.sqrt(height * width / SAMPLES)))
    return min(step | 1, height, width) if step > 1 else 1


def _grid(pixels: NDArray[np.generic], step: int) -> NDArray[np.generic]:
    """Every `step`-th pixel of every `step`-th row, contiguous."""
    if pixels.ndim == 2:
        return np.ascontiguousarray(pixels[::step, ::step])
    # Whole pixels are quicker to pick in one go than by NumPy's strides of three bytes.
    return pixels[::step].take(np.arange(0, pixels.shape[1], step), axis=1)


def _halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _roughness(image: NDArray[np.uint8]) -> float:
    """The root mean square of the Laplacian, in levels."""
    energy = cv2.norm(cv2.Laplacian(image, cv2.CV_16S), cv2.NORM_L2)
    return float(energy) / math.sqrt(image.size)


def _gray(grid: NDArray[np.generic]) -> NDArray[np.generic]:
    if grid.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"a frame of {grid.dtype} is not uint8 or uint16")
    if grid.ndim == 2:
        return grid
    channels = grid.shape[2]
    if channels == 1:
        return grid[:, :, 0]
    if channels not in (3, 4):
        raise ValueError(f"a frame of {channels} channels is not gray, BGR or BGRA")
    code = cv2.COLOR_BGR2GRAY if channels == 3 else cv2.COLOR_BGRA2GRAY
    return np.asarray(cv2.cvtColor(grid, code))
