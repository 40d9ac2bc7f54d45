"""Cheap statistics of a frame, on a grid of its pixels."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.image.gray import BLACK_UP_TO, SATURATED_FROM, WHITE, require_image, without_colour

SAMPLES = 16_384
"""Pixels that are looked at, about; of a smaller frame all."""

_SHARP_FROM = 16
_NO_STRUCTURE = 0.1  # in levels
_BYTES = np.dtype(np.uint8)

CELL = 8
"""Samples a side over which local means are taken."""


class FrameStatistics:
    """Statistics of one frame. What a running line seldom needs is computed when it is asked for.

    Args:
        samples: uint8 or float32, h×w, gray: the grid that was looked at, on the scale 0 to 255.

    Attributes:
        mean: of `samples`, as a share of white, 0 to 1.
        square_mean: mean square of `samples`.
    """

    __slots__ = ("_cells", "mean", "samples", "square_mean")

    def __init__(self, samples: NDArray[np.uint8] | NDArray[np.float32]) -> None:
        self.samples = samples
        self.mean = cv2.norm(samples, cv2.NORM_L1) / (samples.size * WHITE)
        self.square_mean = square_mean(samples)
        self._cells: NDArray[np.float32] | None = None

    @property
    def key(self) -> tuple[float, float]:
        """Return what two frames that are equal to the last bit have in common, and few others."""
        return self.mean, self.square_mean

    @property
    def form(self) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
        """Return shape and type of `samples`: only those of one form can be compared."""
        return self.samples.shape, self.samples.dtype

    @property
    def variance(self) -> float:
        """Return the variance of `samples`."""
        return self.square_mean - (self.mean * WHITE) ** 2

    @property
    def cells(self) -> NDArray[np.float32]:
        """Return the means of `samples` over `CELL` a side, float32, h/8×w/8.

        Of a frame that is smaller than a cell, the samples.
        """
        if self._cells is None:
            height, width = self.samples.shape
            cells = self.samples.astype(np.float32)
            if min(height, width) >= CELL:
                size = (width // CELL, height // CELL)
                cells = np.asarray(cv2.resize(cells, size, interpolation=cv2.INTER_AREA))
            self._cells = cells
        return self._cells

    @property
    def black(self) -> float:
        """Share of samples at the lower end of the scale, 0 to 1."""
        return np.count_nonzero(self.samples <= BLACK_UP_TO) / self.samples.size

    @property
    def saturated(self) -> float:
        """Share of samples at the upper end of the scale, 0 to 1."""
        return np.count_nonzero(self.samples >= SATURATED_FROM) / self.samples.size


def measure(pixels: NDArray[np.generic], *, bits: int | None = None) -> FrameStatistics:
    """Measure a frame. The cost hardly depends on its size.

    Args:
        pixels: H×W, H×W×1, H×W×3 (BGR) or H×W×4 (BGRA); uint8 or uint16.
        bits: how many bits of uint16 are used; all 16 where nothing says.

    Raises:
        FrameError: an empty frame, or one of another form.
    """
    require_image(pixels)
    gray = _gray_grid(pixels)
    if gray.dtype == _BYTES:
        return FrameStatistics(gray)  # type: ignore[arg-type]
    samples = gray.astype(np.float32)
    samples *= WHITE / ((1 << (bits or 16)) - 1)
    return FrameStatistics(samples)


def square_mean(
    samples: NDArray[np.uint8] | NDArray[np.float32],
    less: NDArray[np.uint8] | NDArray[np.float32] | None = None,
) -> float:
    """Return the mean square of samples, or of their difference from others of their form."""
    if less is None:
        return float(cv2.norm(samples, cv2.NORM_L2SQR)) / samples.size
    return float(cv2.norm(samples, less, cv2.NORM_L2SQR)) / samples.size


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


def _gray_grid(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Gray of a grid of pixels, a copy: whole cells, and all of a frame smaller than one."""
    rows, columns, places = _lattice(pixels.shape[0], pixels.shape[1])
    if pixels.ndim == 2:
        return pixels[rows, columns].copy()
    # Whole pixels are quicker to pick in one go than by NumPy's strides of three bytes.
    return without_colour(pixels[rows].take(places, axis=1))


@lru_cache(maxsize=16)
def _lattice(height: int, width: int) -> tuple[slice, slice, NDArray[np.intp]]:
    """Rows and columns of the grid, the latter as a slice and one by one.

    Their distance is odd, so that it does not meet the same pixels of all JPEG blocks.
    """
    step = math.ceil(math.sqrt(height * width / SAMPLES)) | 1
    step = max(1, min(step, height // CELL, width // CELL))
    rows, columns = (_whole(-(-side // step)) * step for side in (height, width))
    places = np.arange(0, min(columns, width), step)
    return slice(0, rows, step), slice(0, columns, step), places


def _whole(samples: int) -> int:
    return samples // CELL * CELL or samples


def _halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _roughness(image: NDArray[np.uint8]) -> float:
    """The root mean square of the Laplacian, in levels."""
    energy = cv2.norm(cv2.Laplacian(image, cv2.CV_16S), cv2.NORM_L2)
    return float(energy) / math.sqrt(image.size)
