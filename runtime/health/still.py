"""Whether two frames show the same, but for the noise of the sensor."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CELL = 8
"""Samples a side over which a change is averaged: noise averages out, moved metal does not."""

_NOTHING = 0.05
# Mean square, in levels: less is rounding, and two such frames are the same without noise.


class Still:
    """A frame that others are compared with.

    Noise is known by its form, so that no sensor has to be described: it is as strong in the mean
    over a cell as independent pixels leave it, and it is weak beside the texture that both
    frames share. Where noise is all that can be seen, nothing tells a still camera from
    metal that runs by, and frames do not count as the same.

    Args:
        samples: float32, h×w, 0 to 255.
    """

    def __init__(self, samples: NDArray[np.float32]) -> None:
        self._samples = samples
        self._texture: float | None = None  # found when asked for, which is seldom while metal runs

    def shows_the_same(
        self, samples: NDArray[np.float32], *, structure: float, share: float
    ) -> bool:
        """Compare a frame with this one; one of another size does not show the same.

        Args:
            samples: of the other frame.
            structure: how many times the variance of local means may be that of white noise.
            share: how much of the change that unrelated images would show may be there.
        """
        if samples.shape != self._samples.shape:
            return False
        change = cv2.subtract(samples, self._samples)
        energy = _square_mean(change)
        if energy <= _NOTHING:
            return True
        local = _smoothed(change)
        cells = np.ascontiguousarray(local[CELL // 2 :: CELL, CELL // 2 :: CELL])
        if cells.size and _square_mean(cells) * CELL**2 > structure * energy:
            return False
        if self._texture is None:
            self._texture = _fine_energy(self._samples, _smoothed(self._samples))
        return _fine_energy(change, local) <= 2 * share * self._texture


def _smoothed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(samples, (CELL, CELL)), np.float32)


def _fine_energy(samples: NDArray[np.float32], smoothed: NDArray[np.float32]) -> float:
    return _square_mean(cv2.subtract(samples, smoothed))


def _square_mean(samples: NDArray[np.generic]) -> float:
    return float(cv2.norm(samples, cv2.NORM_L2SQR)) / samples.size
