"""Whether two frames show the same, but for the noise of the sensor."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.health.statistics import CELL, FrameStatistics

_NOTHING = 0.05
# Mean square, in levels: less is rounding, and two such frames are the same without noise.


class Still:
    """A frame that others are compared with.

    Noise is known by its form, so that no sensor has to be described: it is as strong in the mean
    over a cell as independent pixels leave it, and it is weak beside the texture that both
    frames share. Where noise is all that can be seen, nothing tells a still camera from
    metal that runs by, and frames do not count as the same.

    Args:
        frame: of any size.
    """

    def __init__(self, frame: FrameStatistics) -> None:
        self._frame = frame
        # Texture is what varies within the cells.
        self._texture = _square_mean(frame.samples) - _square_mean(frame.cells)

    def shows_the_same(self, frame: FrameStatistics, *, structure: float, share: float) -> bool:
        """Compare a frame with this one; one of another size does not show the same.

        Args:
            frame: the other one.
            structure: how many times the variance of local means may be that of white noise.
            share: how much of the change that unrelated images would show may be there.
        """
        first = self._frame
        if frame.samples.shape != first.samples.shape:
            return False
        change = _square_mean(frame.samples, first.samples)
        if change <= _NOTHING:
            return True
        local = _square_mean(frame.cells, first.cells)
        if local * CELL**2 > structure * change:
            return False
        return change - local <= 2 * share * self._texture


def _square_mean(samples: NDArray[np.float32], less: NDArray[np.float32] | None = None) -> float:
    """The mean square of samples, or of a difference."""
    if less is None:
        return float(cv2.norm(samples, cv2.NORM_L2SQR)) / samples.size
    return float(cv2.norm(samples, less, cv2.NORM_L2SQR)) / samples.size
