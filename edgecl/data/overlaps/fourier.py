"""Correlation of two images at every shift, by one Fourier transform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from edgecl.data.overlaps.correlation import LEAST_VARIANCE, MIN_COMMON, SIDE, Match

# Spectra and sums of an image take half a megabyte.
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
        covariance = product - one.sum_ahead * other.sum_behind / self._area
        energy = one.energy_ahead * other.energy_behind
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
        ahead, behind = self._rectangles(exact, 1), self._rectangles(exact, -1)
        squares_ahead = self._rectangles(exact * exact, 1)
        squares_behind = self._rectangles(exact * exact, -1)
        return _Spectrum(
            fft.rfft2(image, (2 * SIDE, 2 * SIDE)),
            ahead.astype(np.float32),
            (squares_ahead - ahead**2 / self._area).astype(np.float32),
            behind.astype(np.float32),
            (squares_behind - behind**2 / self._area).astype(np.float32),
        )

    def _rectangles(self, values: NDArray[np.float64], sign: int) -> NDArray[np.float64]:
        """Sums over the common rectangle of every shift, by a summed-area table."""
        table = np.zeros((SIDE + 1, SIDE + 1))
        table[1:, 1:] = values.cumsum(0).cumsum(1)
        shift = sign * self._shift
        low, high = np.maximum(shift, 0), SIDE + np.minimum(shift, 0)
        sums: NDArray[np.float64] = (
            table[np.ix_(high, high)]
            - table[np.ix_(low, high)]
            - table[np.ix_(high, low)]
            + table[np.ix_(low, low)]
        )
        return sums


@dataclass(frozen=True)
class _Spectrum:
    """Spectrum and sums of an image, as the first of a pair (ahead) and as the second."""

    spectrum: NDArray[np.complex64]
    sum_ahead: NDArray[np.float32]
    energy_ahead: NDArray[np.float32]
    sum_behind: NDArray[np.float32]
    energy_behind: NDArray[np.float32]
