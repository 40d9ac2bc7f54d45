"""Tiles of an image at its own scale, and the image's answer from theirs.

Stretching every image to one size changes the scale of its texture, and texture is what tells
metal surfaces apart. With tiles a network sees an image as the camera did, or reduced by one factor
that is the same everywhere, and large images are judged piece by piece.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.artifact.tiling import MEAN, Tiling


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return (height, width) of an image of `size` after scaling, at least one pixel a side."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def to_scale(
    image: NDArray[np.uint8], scale: float, out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Resize by a factor: by areas where the image shrinks, linearly where it grows.

    Args:
        image: uint8, H×W.
        out: uint8, of `scaled_size`, to be written to; a new array when None.

    Returns:
        uint8, of `scaled_size`; the image itself where nothing changes.
    """
    height, width = scaled_size((image.shape[0], image.shape[1]), scale)
    if (height, width) == image.shape:
        return image
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(image, (width, height), dst=out, interpolation=method)
    return np.asarray(resized, np.uint8)


def margins(size: tuple[int, int], tile: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return what an image lacks of a tile, in pixels: top, bottom, left, right.

    Args:
        size: (height, width) of the image at the tiles' scale.
        tile: (height, width) in pixels.
    """
    down, across = (max(0, side - length) for side, length in zip(tile, size, strict=True))
    return down // 2, down - down // 2, across // 2, across - across // 2


def padded(
    image: NDArray[np.uint8], tile: tuple[int, int], out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Return an image at least as large as a tile: a smaller one is continued by reflection.

    Args:
        image: uint8, H×W; it stays in the middle.
        tile: (height, width) in pixels.
        out: uint8, of the size with its margins, to be written to; a new array when None.

    Returns:
        uint8; the image itself where nothing is missing.
    """
    missing = margins((image.shape[0], image.shape[1]), tile)
    if not any(missing):
        return image
    whole = cv2.copyMakeBorder(image, *missing, cv2.BORDER_REFLECT, dst=out)
    return np.asarray(whole, np.uint8)


def starts(length: int, tile: int, stride: int) -> NDArray[np.int64]:
    """Return where tiles start along one side: evenly, from edge to edge.

    They are as few as leave no more than `stride` pixels from one to the next.

    Args:
        length: of the side, in pixels, at least `tile`.
    """
    count = math.ceil((length - tile) / stride) + 1
    return np.rint(np.linspace(0, length - tile, count)).astype(np.int64)


def places(size: tuple[int, int], tiling: Tiling) -> NDArray[np.int64]:
    """Return where the tiles of an image lie, in pixels of the padded image at the tiles' scale.

    Args:
        size: (height, width) of the image at the tiles' scale.

    Returns:
        int64, T×2: (top, left), row by row.
    """
    tops, lefts = (
        starts(max(length, tile), tile, stride)
        for length, tile, stride in zip(size, tiling.tile, tiling.steps, strict=True)
    )
    return np.stack(np.meshgrid(tops, lefts, indexing="ij"), axis=-1).reshape(-1, 2)


def cut(image: NDArray[np.uint8], tiling: Tiling) -> NDArray[np.uint8]:
    """Cut an image, at the tiles' scale already, into tiles.

    Args:
        image: uint8, H×W.

    Returns:
        uint8, T×h×w, in the order of `places`.
    """
    height, width = tiling.tile
    size = (image.shape[0], image.shape[1])
    whole = padded(image, tiling.tile)
    corners = places(size, tiling)
    tiles = np.empty((len(corners), height, width), np.uint8)
    for tile, (top, left) in zip(tiles, corners, strict=True):
        tile[:] = whole[top : top + height, left : left + width]
    return tiles


def worst_tile(probabilities: NDArray[np.float32], passing: Sequence[int]) -> int:
    """Return the number of the tile that speaks most against the part.

    A tile without finite probabilities is worse than any other.

    Args:
        probabilities: float32, T×C.
        passing: numbers of the classes that let a part pass. Where there are none, every class is
            a defect, and the tile that is surest of one is the worst.
    """
    unusable = ~np.isfinite(probabilities).all(axis=1)
    if unusable.any():
        return int(unusable.argmax())
    if len(passing):
        return int(probabilities[:, list(passing)].sum(axis=1).argmin())
    return int(probabilities.max(axis=1).argmax())


def combine(
    probabilities: NDArray[np.float32], how: str, passing: Sequence[int]
) -> NDArray[np.float32]:
    """Return an image's probabilities from its tiles'.

    Args:
        probabilities: float32, T×C.
        how: `mean`, or `worst` for those of `worst_tile`.
        passing: as for `worst_tile`.

    Returns:
        float32, C.
    """
    if how == MEAN and len(probabilities) > 1:
        return np.asarray(probabilities.mean(axis=0, dtype=np.float64), np.float32)
    return np.asarray(probabilities[worst_tile(probabilities, passing)], np.float32)


def sharpened(probabilities: NDArray[np.float32], exponent: float) -> NDArray[np.float32]:
    """Return probabilities to the power of `exponent`, adding up to 1 again.

    It is what dividing logits by 1/`exponent` does, after tiles are combined: on single tiles that
    could change the label of their mean.

    Args:
        probabilities: float32, C or N×C.

    Returns:
        The same shape; what is not finite stays so.
    """
    if exponent == 1:
        return probabilities
    raised = np.power(probabilities, exponent, dtype=np.float64)
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float32)


def combine_images(
    probabilities: NDArray[np.float32],
    counts: NDArray[np.int64],
    how: str,
    passing: Sequence[int],
) -> NDArray[np.float32]:
    """Return the probabilities of N images from those of all their tiles.

    Args:
        probabilities: float32, T×C, image after image.
        counts: int64, N, how many tiles each image has.

    Returns:
        float32, N×C.
    """
    parts = np.split(probabilities, np.cumsum(counts)[:-1])
    return np.stack([combine(part, how, passing) for part in parts])
