"""Heat map of a frame: what its tiles' feature maps say of each place, laid together. Pure.

A frame that is stretched is one tile here, the whole frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import InputContract
from runtime.artifact.heat_maps import Cells
from runtime.image.tiles import margins, places, scaled_size

MOST_PIXELS, LONGEST = 1_000_000, 2048
"""Largest size of a heat map. A wider frame is shown smaller; its cells are wider still."""

STRONGEST = 0.65
"""Share of the colour where the heat is greatest; the metal is still to be seen."""


@dataclass(frozen=True, slots=True)
class Window:
    """Part of a frame that a tile shows, in pixels of the frame; it may reach beyond.

    Args:
        left, top: of its upper left corner.
        width, height: of the whole tile.
    """

    left: float
    top: float
    width: float
    height: float


def windows(size: tuple[int, int], contract: InputContract) -> list[Window]:
    """Return where a frame's tiles lie, in the order in which they are cut.

    Args:
        size: (height, width) of the frame in pixels.
        contract: how it is cut, or stretched.
    """
    height, width = size
    tiling = contract.tiling
    if tiling is None:
        return [Window(0, 0, width, height)]
    scaled = scaled_size(size, tiling.scale)
    above, _, before, _ = margins(scaled, tiling.tile)
    down, across = height / scaled[0], width / scaled[1]
    return [
        Window(
            (left - before) * across,
            (top - above) * down,
            tiling.tile[1] * across,
            tiling.tile[0] * down,
        )
        for top, left in places(scaled, tiling).tolist()
    ]


def evidence(
    activation: NDArray[np.float32], label: int, passing: Sequence[int]
) -> NDArray[np.float32]:
    """Return how much each cell speaks for a label, and against what it could be instead.

    Only differences of logits change a probability, so what all labels have in common says nothing.

    Args:
        activation: float32, T×C×h×w, each cell's share of the logits.
        label: number of the label.
        passing: numbers of the labels that let a part pass. Where there are none, or the label is
            one of them, it is held against all others.

    Returns:
        float32, T×h×w; negative where a cell speaks against the label.
    """
    count = activation.shape[1]
    others = [number for number in passing if label not in passing]
    others = others or [number for number in range(count) if number != label]
    found = activation[:, label]
    return found - activation[:, others].mean(axis=1) if others else found


def shown_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) of the heat map of a frame: at most the frame's."""
    height, width = size
    factor = min(1.0, math.sqrt(MOST_PIXELS / (height * width)), LONGEST / max(size))
    return max(1, int(height * factor)), max(1, int(width * factor))


def laid_together(
    maps: NDArray[np.float32],
    placed: Sequence[Window],
    cells: Cells,
    tile: tuple[int, int],
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Return one heat map over a frame from those of its tiles.

    Between the cells' centres values are interpolated; beyond the outermost they go on. Where tiles
    overlap, they are averaged. All is smoothed over a cell, which is less than each cell sees, so
    that tiles leave no edges.

    Args:
        maps: float32, T×h×w.
        placed: T windows.
        cells: where the cells look, in pixels of a tile as the model sees it.
        tile: (height, width) of the model's input.
        size: (height, width) of the frame in pixels.

    Returns:
        float32, of `shown_size`.
    """
    shown = shown_size(size)
    factors = (size[0] / shown[0], size[1] / shown[1])
    total = np.zeros(shown, np.float32)
    count = np.zeros(shown, np.float32)
    for values, window in zip(maps, placed, strict=True):
        rows, down = _along(
            window.top, window.height, tile[0], factors[0], shown[0], cells, maps.shape[1]
        )
        columns, across = _along(
            window.left, window.width, tile[1], factors[1], shown[1], cells, maps.shape[2]
        )
        total[rows, columns] += down @ values @ across.T
        count[rows, columns] += 1
    heat = total / np.maximum(count, 1)
    window = placed[0]
    sides = (
        cells.stride * window.width / tile[1] / factors[1],
        cells.stride * window.height / tile[0] / factors[0],
    )
    kernel = tuple(int(side) // 2 * 2 + 1 for side in sides)  # an even one would shift
    for _ in range(2):  # two boxes make a tent, at the cost of none of its size
        heat = cv2.blur(heat, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(heat, np.float32)


def peak(heat: NDArray[np.float32], size: tuple[int, int]) -> tuple[int, int]:
    """Return (left, top) of the greatest heat, in pixels of a frame of `size`."""
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    top = (int(row) + 0.5) * size[0] / heat.shape[0]
    left = (int(column) + 0.5) * size[1] / heat.shape[1]
    return int(left), int(top)


def overlay(gray: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a gray image under the colours of its heat map.

    The greatest heat of the image is the brightest colour; what speaks against the label has none.

    Args:
        gray: uint8, H×W.
        heat: float32, h×w.

    Returns:
        uint8 BGR, h×w×3.
    """
    height, width = heat.shape
    small = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
    strength = np.clip(heat / max(float(heat.max()), 1e-12), 0, 1)
    levels = np.rint(255 * strength).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO).astype(np.float32)
    share = (STRONGEST * strength)[:, :, None]
    mixed = share * colours + (1 - share) * small[:, :, None]
    return np.asarray(np.rint(mixed), np.uint8)


def _along(
    start: float, length: float, side: int, factor: float, shown: int, cells: Cells, count: int
) -> tuple[slice, NDArray[np.float32]]:
    """Return the pixels of a heat map that a tile covers along one side, and the cells' weights.

    Args:
        start, length: of the tile, in pixels of the frame.
        side: of the model's input, in pixels.
        factor: pixels of the frame per pixel of the heat map.
        shown: pixels of the heat map.
        count: cells along this side.

    Returns:
        The pixels, and float32 pixels×count.
    """
    first = max(0, math.floor(start / factor))
    stop = min(shown, math.ceil((start + length) / factor))
    middles = (np.arange(first, stop) + 0.5) * factor
    inside = (middles - start) * side / length - 0.5  # in pixels of the input, 0 the first's middle
    at = np.clip((inside - cells.first) / cells.stride, 0, count - 1)
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(count)))
    return slice(first, stop), weights.astype(np.float32)
