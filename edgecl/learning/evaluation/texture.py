"""Texture descriptor without learning: completed local binary patterns.

Source: Guo, Zhang and Zhang, "A Completed Modeling of Local Binary Pattern Operator for Texture
Classification", IEEE Transactions on Image Processing 19(6), 2010: sign, magnitude and centre in
one joint histogram, patterns rotation-invariant and uniform, at three radii. With a linear
discriminant it is the baseline that a network on metal surfaces must beat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

RINGS = ((8, 1), (16, 2), (16, 4))
"""(number of neighbours, radius in pixels)."""

SIZE = sum(2 * (neighbours + 2) ** 2 for neighbours, _ in RINGS)
"""Numbers in a descriptor."""

_AT_ONCE = 64
"""Images that wait for a thread: a set that lies on disk is never in memory as a whole."""

_FEWEST_PIXELS = 2 * max(radius for _, radius in RINGS) + 1


def describe_texture(
    images: Iterable[NDArray[np.uint8]], progress: Callable[[], None] = lambda: None
) -> NDArray[np.float32]:
    """Return square roots of the histograms of each image, float32 N×1496.

    The roots make Euclidean geometry fit histograms (Hellinger's distance). As many threads
    work as torch has.

    Args:
        images: uint8, N of H×W, of any size.
        progress: called after each image.
    """
    rows: list[NDArray[np.float32]] = []
    left = iter(images)
    with ThreadPoolExecutor(torch.get_num_threads(), "texture") as pool:
        while some := list(islice(left, _AT_ONCE)):
            for row in pool.map(_described, some):
                rows.append(row)
                progress()
    return np.stack(rows) if rows else np.empty((0, SIZE), np.float32)


def _described(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    short = [max(0, _FEWEST_PIXELS - length) for length in image.shape]
    if any(short):
        image = np.pad(image, [(0, number) for number in short], mode="symmetric")
    gray = np.ascontiguousarray(image, np.float32)
    parts = [_histogram(gray, *_ring(neighbours, radius), radius) for neighbours, radius in RINGS]
    return np.asarray(np.sqrt(np.concatenate(parts)), np.float32)


def _ring(neighbours: int, radius: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return each neighbour's upper left pixel, int64 P×2, and the shares of the four around it.

    Both are relative to the centre; a neighbour between pixels is interpolated bilinearly.
    """
    angles = 2 * np.pi * np.arange(neighbours) / neighbours
    # A sine of π is not quite 0, and a neighbour on a pixel must not be interpolated.
    where = np.stack((-radius * np.sin(angles), radius * np.cos(angles)), axis=1).round(9)
    corner = np.floor(where).astype(np.int64)
    y, x = (where - corner).T
    shares = np.stack(((1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x), axis=1)
    return corner, shares.astype(np.float32)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _histogram(  # type: ignore[no-untyped-def]
    image: Any, corner: Any, shares: Any, radius: int
):
    """Return the joint histogram of sign, magnitude and centre, float64 2·(P+2)², adding up to 1.

    A magnitude counts as large from the image's mean magnitude on, a centre as bright from the
    image's mean on. Everything is done row by row, in loops that a compiler can make wide.
    """
    height, width = image.shape
    neighbours, columns = len(corner), width - 2 * radius
    mean = image.mean()
    row = np.empty((neighbours, columns), np.float32)
    total = 0.0
    for y in range(radius, height - radius):
        _differences(image, corner, shares, radius, y, row)
        total += np.abs(row).sum()
    inside = (height - 2 * radius) * columns
    threshold = np.float32(total / (inside * neighbours))
    counts = np.zeros(2 * (neighbours + 2) ** 2)
    ones, larges, sign_changes, size_changes = np.empty((4, columns), np.int32)
    for y in range(radius, height - radius):
        _differences(image, corner, shares, radius, y, row)
        ones[:] = larges[:] = sign_changes[:] = size_changes[:] = 0
        for p in range(neighbours):
            now, before = row[p], row[p - 1]
            for x in range(columns):
                above, large = now[x] >= 0, abs(now[x]) >= threshold
                ones[x] += above
                larges[x] += large
                sign_changes[x] += above != (before[x] >= 0)
                size_changes[x] += large != (abs(before[x]) >= threshold)
        for x in range(columns):
            sign = ones[x] if sign_changes[x] <= 2 else neighbours + 1
            size = larges[x] if size_changes[x] <= 2 else neighbours + 1
            bright = image[y, x + radius] >= mean
            counts[(sign * (neighbours + 2) + size) * 2 + bright] += 1
    return counts / inside


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _differences(  # type: ignore[no-untyped-def]
    image: Any, corner: Any, shares: Any, radius: int, y: int, out: Any
):
    """Write the differences of a row's neighbours from their centres to `out`, P×columns."""
    columns = out.shape[1]
    for p in range(len(corner)):
        top, left = y + corner[p, 0], radius + corner[p, 1]
        # A neighbour on the last row or column has no next one, and no share of it either.
        below, right = min(top + 1, image.shape[0] - 1), int(shares[p, 1] + shares[p, 3] > 0)
        first, second, third, fourth = shares[p]
        for x in range(columns):
            out[p, x] = (
                first * image[top, left + x]
                + second * image[top, left + x + right]
                + third * image[below, left + x]
                + fourth * image[below, left + x + right]
                - image[y, radius + x]
            )
