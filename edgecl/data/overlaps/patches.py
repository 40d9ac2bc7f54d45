"""Patches around the striking points of an image, which shifted crops of one surface share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecl.data.overlaps.correlation import SIDE

MOST = 48
"""Patches of an image."""
SIZE = 24
"""Values of a patch."""
SCALE = 127
"""Length of a patch's int8 vector, so that dot / SCALE² is a correlation."""

_HALF = 12  # pixels from a patch's middle to its edge
_SAMPLES = np.array([-10, -7, -4, -1, 2, 5, 8, 11], np.intp)
_SIGMA = 1.5
_APART = np.ones((5, 5), np.uint8)
# Striking points are taken from each cell first, so that every part of an image has some.
_CELLS = 4
_LEAST_RESPONSE, _LEAST_CONTRAST = 0.2, 0.25  # gray levels
_INSIDE = SIDE - 2 * _HALF


@dataclass(frozen=True)
class Patches:
    """Patches of many images, those of one image after those of the one before.

    Args:
        vectors: int8, P×24; of length 127.
        places: uint8, P×2, the middle (down, right) in pixels of the compared size.
        images: int32, P, the image's number.
    """

    vectors: NDArray[np.int8]
    places: NDArray[np.uint8]
    images: NDArray[np.int32]


def describe_all(count: int, image_of: Callable[[int], NDArray[np.float32]]) -> Patches:
    """Describe images 0 to `count` - 1.

    Args:
        image_of: the high-passed image of a number, float32 100×100.
    """
    vectors = np.empty((count * MOST, SIZE), np.int8)
    places = np.empty((count * MOST, 2), np.uint8)
    images = np.empty(count * MOST, np.int32)
    end = 0
    for number in range(count):
        found, where = describe(image_of(number))
        start, end = end, end + len(found)
        vectors[start:end], places[start:end], images[start:end] = found, where, number
    return Patches(vectors[:end], places[:end], images[:end])


def describe(image: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.uint8]]:
    """Describe the patches of one image: at most 48, none where it has no contrast.

    Args:
        image: float32 100×100, high-passed.

    Returns:
        Vectors, int8 P×24, and places, uint8 P×2.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), _SIGMA)
    response = np.abs(smooth - cv2.GaussianBlur(image, (0, 0), 2 * _SIGMA))
    peak = (cv2.dilate(response, _APART) == response) & (response > _LEAST_RESPONSE)
    inner = slice(_HALF, SIDE - _HALF)
    strength = np.where(peak, response, 0)[inner, inner].ravel()
    points = np.flatnonzero(strength)
    points = points[np.lexsort((-strength[points], _CELL[points]))]
    cell = _CELL[points]
    rank = np.arange(len(points)) - np.searchsorted(cell, cell)
    points = points[np.lexsort((-strength[points], rank >= MOST // _CELLS**2))][:MOST]
    down, right = points // _INSIDE + _HALF, points % _INSIDE + _HALF
    values = smooth[
        (down[:, None] + _SAMPLES)[:, :, None], (right[:, None] + _SAMPLES)[:, None, :]
    ].reshape(len(points), len(_SAMPLES) ** 2)
    waves = values @ _WAVES
    length = np.linalg.norm(waves, axis=1)
    clear = length > _LEAST_CONTRAST * len(_SAMPLES)
    unit = waves[clear] * (SCALE / length[clear, None])
    return np.rint(unit).astype(np.int8), np.stack((down, right), axis=1)[clear].astype(np.uint8)


def _low_waves() -> NDArray[np.float32]:
    """64×24: the cosine waves of up to four half periods, without the mean.

    They hold nearly all of a smoothed patch, and their dot products are correlations.
    """
    count = len(_SAMPLES)
    wave = np.cos(np.pi * (np.arange(count) + 0.5) * np.arange(5)[:, None] / count)
    wave /= np.linalg.norm(wave, axis=1, keepdims=True)
    both = wave[:, None, :, None] * wave[None, :, None, :]
    return both.reshape(25, -1)[1:].T.astype(np.float32)


_WAVES = _low_waves()
_ROWS = np.arange(_INSIDE) * _CELLS // _INSIDE
_CELL = (_ROWS[:, None] * _CELLS + _ROWS).ravel()
