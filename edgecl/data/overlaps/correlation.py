"""Correlation of the area that two images have in common at a shift.

It works on high-passed images, so that neither the lamp's gradient nor a class's usual brightness
makes two images alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)

SIDE = 100
"""Side length, in pixels, at which images are compared."""
MIN_COMMON = 0.35
"""Minimum common area, as a share of an image."""
THRESHOLD = 0.90
"""Minimum correlation of the common area for two images of one piece of metal."""

# Deviation of the Gaussian that is taken off, as a share of the side.
_BLUR = 0.08
LEAST_VARIANCE = 1.0
"""Below one gray level there is nothing to correlate but noise."""
# Pixels around a proposed shift that are tried.
_REACH = 3

_COARSE = SIDE // 2
_COARSE_SIGMA = 0.8
# Standard deviation of a coarse image in int8: its 4 deviations fit.
_COARSE_SPREAD = 32


@dataclass(frozen=True)
class Match:
    """Shift near which two images agree best.

    Args:
        correlation: of the common area, -1 to 1; 0 where either has no contrast there.
        shift: (down, right) of the second image's content in the first, in pixels.
    """

    correlation: float
    shift: tuple[int, int]


def high_passed(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bring an image to the compared size without its coarse shading.

    Args:
        image: uint8, H×W.

    Returns:
        float32, 100×100.
    """
    small = image
    if image.shape != (SIDE, SIDE):
        small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    exact = small.astype(np.float32)
    shading = cv2.GaussianBlur(exact, (0, 0), _BLUR * SIDE, borderType=cv2.BORDER_REFLECT)
    result: NDArray[np.float32] = exact - shading
    return result


def mirrored(image: NDArray[Value], number: int) -> NDArray[Value]:
    """Mirror image number `number`: left to right, upside down, or both, in turn.

    Each keeps an image's lines, grain and brightness, and shows metal that no other image shows.
    """
    turned = (image[..., ::-1], image[..., ::-1, :], image[..., ::-1, ::-1])[number % 3]
    return np.ascontiguousarray(turned)


def measure(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    shift: tuple[int, int],
    *,
    common: float = MIN_COMMON,
) -> Match:
    """Return the best correlation within a few pixels of a proposed shift.

    Args:
        first, second: float32, 100×100, high-passed.
        shift: (down, right) of the second image's content in the first, in pixels.
        common: share of the area that a shift must leave in common.
    """
    ahead, behind = _common(first, second, shift)
    reach = min(_REACH, (min(ahead.shape) - 1) // 4)
    inner = behind[reach : len(behind) - reach, reach : behind.shape[1] - reach]
    around = cv2.matchTemplate(ahead, np.ascontiguousarray(inner), cv2.TM_CCOEFF_NORMED)
    around = np.where(np.isfinite(around), around, -1)
    row, column = divmod(int(around.argmax()), around.shape[1])
    best = (shift[0] + row - reach, shift[1] + column - reach)
    if (SIDE - abs(best[0])) * (SIDE - abs(best[1])) < common * SIDE * SIDE:
        best = shift
    return Match(correlation_at(first, second, best), best)


def correlation_at(
    first: NDArray[np.float32], second: NDArray[np.float32], shift: tuple[int, int]
) -> float:
    """Correlation of the common area at exactly this shift; 0 without contrast."""
    ahead, behind = (part.astype(np.float64) for part in _common(first, second, shift))
    ahead, behind = ahead - ahead.mean(), behind - behind.mean()
    energy = float((ahead * ahead).sum()) * float((behind * behind).sum())
    if energy <= (LEAST_VARIANCE * ahead.size) ** 2:
        return 0.0
    return float((ahead * behind).sum() / np.sqrt(energy))


def coarse(count: int, image_of: Callable[[int], NDArray[np.float32]]) -> NDArray[np.int8]:
    """Shrink images 0 to `count` - 1 for `correlate_coarsely`, int8 N×50×50."""
    small = np.zeros((count, _COARSE, _COARSE), np.int8)
    for number in range(count):
        image = cv2.resize(image_of(number), (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
        image = cv2.GaussianBlur(image, (0, 0), _COARSE_SIGMA)
        spread = float(image.std())
        # Of coarse pixels, which are averages, a quarter of the contrast is left.
        if spread > np.sqrt(LEAST_VARIANCE) / 4:
            small[number] = np.rint(np.clip(image * (_COARSE_SPREAD / spread), -127, 127))
    return small


def correlate_coarsely(
    small: NDArray[np.int8],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    down: NDArray[np.float32],
    right: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Correlations of many pairs, each at a shift of its own.

    Args:
        small: int8, N×50×50, as `coarse` gives it.
        first, second: int64, M; a number from N on is the mirrored image of that less N.
        down, right: float32, M, pixels of the compared size.

    Returns:
        float32, M.
    """
    result = np.zeros(len(first), np.float32)
    halves = [np.rint(values / 2).astype(np.int64) for values in (down, right)]
    # One shift and one way of mirroring at a time: plain slices, no loop over pairs.
    way = np.where(second >= len(small), second % len(small) % 3 + 1, 0)
    group = ((halves[0] + SIDE) * 4 * SIDE + halves[1] + SIDE) * 4 + way
    order = np.argsort(group, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        for start in range(0, len(rows), 4096):
            part = rows[start : start + 4096]
            shift = int(halves[0][part[0]]), int(halves[1][part[0]])
            theirs = small[second[part] % len(small)]
            if way[part[0]]:
                theirs = mirrored(theirs, int(way[part[0]]) - 1)
            ahead, behind = _common(small[first[part]], theirs, shift)
            result[part] = _correlations(ahead, behind)
    return result


def _correlations(one: NDArray[np.int8], other: NDArray[np.int8]) -> NDArray[np.float32]:
    ahead, behind = (
        part.reshape(len(part), part.shape[1] * part.shape[2]).astype(np.float32)
        for part in (one, other)
    )
    ahead -= ahead.mean(axis=1, keepdims=True)
    behind -= behind.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(ahead, axis=1) * np.linalg.norm(behind, axis=1)
    found: NDArray[np.float32] = np.einsum("ij,ij->i", ahead, behind) / np.maximum(norms, 1.0)
    return found


def _common(
    first: NDArray[Value], second: NDArray[Value], shift: tuple[int, int]
) -> tuple[NDArray[Value], NDArray[Value]]:
    """The parts of two images, or of two stacks of them, that lie on each other."""
    side = first.shape[-1]
    (down, right) = shift
    ahead = first[..., max(down, 0) : side + min(down, 0), max(right, 0) : side + min(right, 0)]
    behind = second[..., max(-down, 0) : side - max(down, 0), max(-right, 0) : side - max(right, 0)]
    return ahead, behind
