"""Correlation of two images at every shift, by one Fourier transform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from edgecl.data.overlaps.correlation import LEAST_VARIANCE, MIN_COMMON, SIDE, Match

# Spectra and sums of an image take a third of a megabyte.
_SPECTRA = 500


class Correlator:
    """Measures pairs of images over all shifts.

    Args:
        image_of: the high-passed image of a number, float32 100×100.
        common: share of the area that a shift must leave in common.
    """

    def __init__(
        self, image_of: Callable[[int], NDArray[np.float32]], *, common: float = MIN_COMMON
    ) -> None:
        self._image_of = image_of
        reach = int((1 - common) * SIDE)
        self._shift = np.arange(-reach, reach + 1)
        sides = (SIDE - abs(self._shift)).astype(np.float32)
        self._area = sides[:, None] * sides[None]
        self._allowed = self._area >= common * SIDE * SIDE
        self._lag = np.ix_(self._shift % (2 * SIDE), self._shift % (2 * SIDE))
        self._spectrum = lru_cache(maxsize=_SPECTRA)(self._compute_spectrum)

    def __call__(self, first: int, second: int) -> Match:
        """The best shift of two images."""
        one, other = self._spectrum(first), self._spectrum(second)
        product = fft.irfft2(one.spectrum * other.spectrum.conj(), (2 * SIDE, 2 * SIDE))[self._lag]
        covariance = product - one.sums * other.sums[::-1, ::-1] / self._area
        energy = one.energy * other.energy[::-1, ::-1]
        contrast = self._allowed & (energy > (LEAST_VARIANCE * self._area) ** 2)
        correlation = np.where(contrast, covariance / np.sqrt(np.maximum(energy, 1.0)), 0.0)
        row, column = divmod(int(correlation.argmax()), len(self._shift))
        return Match(
            float(correlation[row, column]),
            (int(self._shift[row]), int(self._shift[column])),
        )

    def _compute_spectrum(self, number: int) -> _Spectrum:
        image = self._image_of(number)
        exact = image.astype(np.float64)
        sums, squares = self._rectangles(exact), self._rectangles(exact * exact)
        return _Spectrum(
            fft.rfft2(image, (2 * SIDE, 2 * SIDE)),
            sums.astype(np.float32),
            (squares - sums**2 / self._area).astype(np.float32),
        )

    def _rectangles(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the common rectangle of every shift, by a summed-area table."""
        table = np.zeros((SIDE + 1, SIDE + 1))
        table[1:, 1:] = values.cumsum(0).cumsum(1)
        low, high = np.maximum(self._shift, 0), SIDE + np.minimum(self._shift, 0)
        bands = table[high] - table[low]
        sums: NDArray[np.float64] = bands[:, high] - bands[:, low]
        return sums


@dataclass(frozen=True)
class _Spectrum:
    """Spectrum of an image, and sums over what it shares with the second of a pair.

    For the image as the second one, the shifts count the other way round.
    """

    spectrum: NDArray[np.complex64]
    sums: NDArray[np.float32]
    energy: NDArray[np.float32]
