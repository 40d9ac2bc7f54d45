"""Texture descriptor without learning: completed local binary patterns.

Source: Guo, Zhang and Zhang, "A Completed Modeling of Local Binary Pattern Operator for Texture
Classification", IEEE Transactions on Image Processing 19(6), 2010: sign, magnitude and centre in one
joint histogram, patterns rotation-invariant and uniform, at three radii. With a linear discriminant
it is the baseline that a network on metal surfaces must beat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

RINGS = ((8, 1), (16, 2), (16, 4))
"""(number of neighbours, radius in pixels)."""

SIZE = sum(2 * (neighbours + 2) ** 2 for neighbours, _ in RINGS)
"""Numbers in a descriptor."""

# An image beyond it is described in pieces: every pixel takes some 70 bytes on the way.
_LARGEST_PIECE = 1 << 20
_FEWEST_PIXELS = 2 * max(radius for _, radius in RINGS) + 1


def describe_texture(
    images: Iterable[NDArray[np.uint8]], progress: Callable[[], None] = lambda: None
) -> NDArray[np.float32]:
    """Return square roots of the histograms of each image, float32 N×1496.

    The roots make Euclidean geometry fit histograms (Hellinger's distance).

    Args:
        images: uint8, N of H×W, of any size.
        progress: called after each image.
    """
    rows = []
    for image in images:
        rows.append(_described(image))
        progress()
    return np.stack(rows) if rows else np.empty((0, SIZE), np.float32)


def _described(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    short = [max(0, _FEWEST_PIXELS - length) for length in image.shape]
    if any(short):
        image = np.pad(image, [(0, number) for number in short], mode="symmetric")
    pieces = list(_pieces(image))
    total = np.sum([_histograms(piece.astype(np.float32)) for piece in pieces], axis=0)
    return np.sqrt(total / len(pieces)).astype(np.float32)


def _pieces(image: NDArray[np.uint8]) -> Iterable[NDArray[np.uint8]]:
    """Cut an image that is too large into parts of about one size."""
    if image.size <= _LARGEST_PIECE:
        yield image
        return
    axis = int(np.argmax(image.shape))
    for half in np.array_split(image, 2, axis=axis):
        yield from _pieces(half)


def _histograms(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the joint histograms of all rings, each of which adds up to 1."""
    parts = []
    for neighbours, radius in RINGS:
        centre = image[radius:-radius, radius:-radius]
        differences = [ring - centre for ring in _ring(image, neighbours, radius)]
        threshold = np.mean([np.abs(part).mean() for part in differences])
        sign = _uniform([part >= 0 for part in differences])
        magnitude = _uniform([np.abs(part) >= threshold for part in differences])
        bright = centre >= image.mean()
        codes = (sign * (neighbours + 2) + magnitude) * 2 + bright
        counts = np.bincount(codes.ravel(), minlength=2 * (neighbours + 2) ** 2)
        parts.append(counts / codes.size)
    return np.concatenate(parts)


def _ring(
    image: NDArray[np.float32], neighbours: int, radius: int
) -> Iterable[NDArray[np.float32]]:
    """Yield the image as seen by each neighbour on a circle, between pixels by interpolation."""
    height, width = (length - 2 * radius for length in image.shape)
    for angle in 2 * np.pi * np.arange(neighbours) / neighbours:
        down, across = radius - radius * np.sin(angle), radius + radius * np.cos(angle)
        # A sine of π is not quite 0, and a neighbour on a pixel must not be interpolated.
        top, left = int(np.floor(down + 1e-9)), int(np.floor(across + 1e-9))
        y, x = np.float32(max(down - top, 0)), np.float32(max(across - left, 0))
        view = np.zeros((height, width), np.float32)
        for dy, dx, share in (
            (0, 0, (1 - y) * (1 - x)),
            (0, 1, (1 - y) * x),
            (1, 0, y * (1 - x)),
            (1, 1, y * x),
        ):
            if share > 1e-6:
                view += share * image[top + dy : top + dy + height, left + dx : left + dx + width]
        yield view


def _uniform(bits: list[NDArray[np.bool_]]) -> NDArray[np.int64]:
    """Return the rotation-invariant uniform code: how many are set, where they are in one run."""
    ones = np.sum(bits, axis=0, dtype=np.int64)
    changes = np.sum(
        [one != other for one, other in zip(bits, [*bits[1:], bits[0]], strict=True)],
        axis=0,
        dtype=np.int64,
    )
    return np.where(changes <= 2, ones, len(bits) + 1)
