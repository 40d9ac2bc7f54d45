"""Shifted overlaps between images that show, in part, the same piece of metal.

Two steps. The screen correlates every pair at every shift on 32×32 pixels: for one shift, the
normalised correlations of all pairs are one matrix product. What passes is measured on 100×100
pixels, all shifts of a pair by one Fourier transform. Both work on high-passed images, so that
neither the lamp's gradient nor a class's usual brightness makes two images alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from runtime.progress import CountProgress

SIDE = 100
"""Side length, in pixels, at which pairs are compared."""
MIN_COMMON = 0.35
"""Minimum common area, as a share of an image."""
THRESHOLD = 0.90
"""Minimum correlation of the common area for two images of one piece of metal."""
# A pair at THRESHOLD reaches at least this much less on the screen's coarse pixels.
SCREEN_SLACK = 0.20

_SCREEN_SIDE = 32
# Deviations of the Gaussian that is taken off, as shares of the side.
_SCREEN_BLUR, _BLUR = 0.125, 0.08
_BLOCK = 1024
_PENDING = 4_000_000
_SPECTRA = 1500
# Below one gray level there is nothing to correlate but noise.
_LEAST_VARIANCE = 1.0


@dataclass(frozen=True)
class Candidates:
    """Pairs that passed the screen, the strongest first.

    Args:
        first, second: int64, M, row numbers with first < second; no pair stands twice.
        scores: float32, M, the screen's correlation.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Match:
    """Shift at which two images agree best.

    Args:
        correlation: of the common area, -1 to 1; 0 where either has no contrast.
        shift: (down, right) of the second image's content in the first, as shares of a side.
    """

    correlation: float
    shift: tuple[float, float]


def screen(
    images: NDArray[np.uint8],
    *,
    threshold: float = THRESHOLD - SCREEN_SLACK,
    common: float = MIN_COMMON,
    progress: CountProgress | None = None,
) -> Candidates:
    """All pairs whose coarse images correlate above `threshold` at some shift.

    Args:
        images: uint8, N×H×W.
        common: share of the area that a shift must leave in common.
    """
    small = _high_passed(images, _SCREEN_SIDE, _SCREEN_BLUR)
    count = len(small)
    shifts = list(_shifts(_SCREEN_SIDE, common))
    keys, scores = np.empty(0, np.int64), np.empty(0, np.float32)
    fresh: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    pending = 0
    for done, (down, right) in enumerate(shifts):
        ahead = _unit(small[:, down:, max(right, 0) : _SCREEN_SIDE + min(right, 0)])
        behind = _unit(
            small[:, : _SCREEN_SIDE - down, max(-right, 0) : _SCREEN_SIDE + min(-right, 0)]
        )
        for start in range(0, count, _BLOCK):
            correlation = (ahead[start : start + _BLOCK] @ behind.T).ravel()
            found = np.flatnonzero(correlation > threshold)
            rows, columns = found // count + start, found % count
            pair = rows != columns
            low, high = np.minimum(rows, columns)[pair], np.maximum(rows, columns)[pair]
            fresh.append((low * count + high, correlation[found][pair]))
            pending += int(pair.sum())
        if pending > _PENDING:
            keys, scores = _strongest(keys, scores, fresh)
            fresh, pending = [], 0
        if progress is not None:
            progress(done + 1, len(shifts))
    keys, scores = _strongest(keys, scores, fresh)
    order = np.argsort(-scores, kind="stable")
    return Candidates(keys[order] // max(count, 1), keys[order] % max(count, 1), scores[order])


class Correlator:
    """Measures pairs of images over all shifts.

    Args:
        images: uint8, N×H×W.
        common: share of the area that a shift must leave in common.
    """

    def __init__(self, images: NDArray[np.uint8], *, common: float = MIN_COMMON) -> None:
        self._images = images
        reach = int((1 - common) * SIDE)
        self._shift = np.arange(-reach, reach + 1)
        sides = (SIDE - abs(self._shift)).astype(np.float32)
        self._area = sides[:, None] * sides[None]
        self._allowed = self._area >= common * SIDE * SIDE
        self._lag = np.ix_(self._shift % (2 * SIDE), self._shift % (2 * SIDE))
        self._spectrum = lru_cache(maxsize=_SPECTRA)(self._compute_spectrum)

    def __call__(self, first: int, second: int) -> Match:
        """The best shift of two rows."""
        one, other = self._spectrum(first), self._spectrum(second)
        product = fft.irfft2(one.spectrum * other.spectrum.conj(), (2 * SIDE, 2 * SIDE))[self._lag]
        covariance = product - one.sum_ahead * other.sum_behind / self._area
        energy = one.energy_ahead * other.energy_behind
        contrast = self._allowed & (energy > (_LEAST_VARIANCE * self._area) ** 2)
        correlation = np.where(contrast, covariance / np.sqrt(np.maximum(energy, 1.0)), 0.0)
        row, column = divmod(int(correlation.argmax()), len(self._shift))
        return Match(
            float(correlation[row, column]),
            (float(self._shift[row]) / SIDE, float(self._shift[column]) / SIDE),
        )

    def _compute_spectrum(self, row: int) -> _Spectrum:
        image = _high_passed(self._images[row : row + 1], SIDE, _BLUR)[0]
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


def _shifts(side: int, common: float) -> Iterator[tuple[int, int]]:
    """Half of all shifts; the other half are the same pairs in the other order."""
    for down in range(side):
        for right in range(-side + 1, side):
            mirrored = down == 0 and right < 0
            if not mirrored and (side - down) * (side - abs(right)) >= common * side * side:
                yield down, right


def _high_passed(images: NDArray[np.uint8], side: int, blur: float) -> NDArray[np.float32]:
    """uint8 N×H×W to float32 N×side×side without their coarse shading."""
    result = np.empty((len(images), side, side), np.float32)
    for row, image in enumerate(images):
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        shading = cv2.GaussianBlur(small, (0, 0), blur * side, borderType=cv2.BORDER_REFLECT)
        result[row] = small - shading
    return result


def _unit(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centred unit vectors, float32 N×P; of an image without contrast, zeros."""
    flat = images.reshape(len(images), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    least = np.float32(np.sqrt(_LEAST_VARIANCE * flat.shape[1]) / 4)  # coarse pixels are averages
    unit: NDArray[np.float32] = np.where(norm > least, flat / np.maximum(norm, least), 0.0)
    return unit.astype(np.float32, copy=False)


def _strongest(
    keys: NDArray[np.int64],
    scores: NDArray[np.float32],
    fresh: list[tuple[NDArray[np.int64], NDArray[np.float32]]],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return each key once, with its highest score."""
    keys = np.concatenate([keys, *(key for key, _ in fresh)])
    scores = np.concatenate([scores, *(score for _, score in fresh)])
    order = np.lexsort((-scores, keys))
    keys, scores = keys[order], scores[order]
    once = np.ones(len(keys), np.bool_)
    once[1:] = keys[1:] != keys[:-1]
    return keys[once], scores[once]
