"""Cheap statistics of a frame, on a grid of its pixels."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.image.gray import BLACK_UP_TO, SATURATED_FROM, WHITE, require_image, without_colour

SAMPLES = 16_384
"""Pixels that are looked at, about; of a smaller frame all."""

_SHARP_FROM = 16
_NO_STRUCTURE = 0.1  # in levels


CELL = 8
"""Samples a side over which local means are taken."""


@dataclass(frozen=True, slots=True)
class FrameStatistics:
    """Statistics of one frame.

    Args:
        samples: float32, h×w, gray: the grid that was looked at, on the scale 0 to 255.
        cells: float32, h/8×w/8, means of `samples` over `CELL` a side; as `samples` for a frame
            that is smaller than a cell.
        key: CRC of the grid as it was delivered.
        mean: of `samples`, as a share of white, 0 to 1.
    """

    samples: NDArray[np.float32]
    cells: NDArray[np.float32]
    key: int
    mean: float

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
    grid = _grid(pixels)
    gray = without_colour(grid)
    samples = gray.astype(np.float32)
    if gray.dtype != np.uint8:
        samples *= WHITE / ((1 << (bits or 16)) - 1)
    height, width = gray.shape
    cells = samples
    if min(height, width) >= CELL:
        cells = cv2.resize(samples, (width // CELL, height // CELL), interpolation=cv2.INTER_AREA)
    return FrameStatistics(
        samples=samples,
        cells=np.asarray(cells, np.float32),
        key=zlib.crc32(grid.data),
        mean=cv2.mean(samples)[0] / WHITE,
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


def _grid(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """A grid of pixels, contiguous: whole cells, and all of a frame smaller than one.

    Its distance is odd, so that it does not meet the same pixels of all JPEG blocks.
    """
    height, width = pixels.shape[:2]
    step = math.ceil(math.sqrt(height * width / SAMPLES)) | 1
    step = max(1, min(step, height // CELL, width // CELL))
    rows, columns = (_whole(-(-side // step)) * step for side in (height, width))
    if pixels.ndim == 2:
        return np.ascontiguousarray(pixels[:rows:step, :columns:step])
    # Whole pixels are quicker to pick in one go than by NumPy's strides of three bytes.
    return pixels[:rows:step].take(np.arange(0, min(columns, width), step), axis=1)


def _whole(samples: int) -> int:
    return samples // CELL * CELL or samples


def _halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _roughness(image: NDArray[np.uint8]) -> float:
    """The root mean square of the Laplacian, in levels."""
    energy = cv2.norm(cv2.Laplacian(image, cv2.CV_16S), cv2.NORM_L2)
    return float(energy) / math.sqrt(image.size)
