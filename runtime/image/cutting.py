"""Cutting of camera frames into tiles, into buffers that stay while the frames' size does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.tiling import Tiling
from runtime.errors import FrameError
from runtime.image.tiles import margins, padded, places, scaled_size, to_scale

MOST_BYTES = 1 << 30
"""Largest batch of one frame's tiles. A frame beyond it is a fault: its buffer would take the
memory of the box, and its tiles many seconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """Place of a tile in its frame, in pixels of the frame as it came.

    Args:
        left, top: of its upper left corner.
        width, height: of what it shows of the frame.
    """

    left: int
    top: int
    width: int
    height: int


class Cutter:
    """Cuts frames into tiles: scaled, padded where they are smaller than a tile, then cut.

    All buffers are kept between frames and made anew only when the frame's size changes. An
    instance serves one thread.

    Args:
        tiling: how a frame is cut.
    """

    def __init__(self, tiling: Tiling) -> None:
        self._tiling = tiling
        self._frame = (0, 0)
        self._scaled = (0, 0)
        self._missing = (0, 0, 0, 0)
        self._corners: list[tuple[int, int]] = []
        self._small: NDArray[np.uint8] | None = None
        self._whole: NDArray[np.uint8] | None = None
        self._tiles = np.empty((0, 1, *tiling.tile), np.uint8)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut a frame.

        Args:
            image: uint8, H×W.

        Returns:
            uint8, T×1×h×w, row by row: the cutter's own buffer, which the next call overwrites.

        Raises:
            FrameError: its tiles would take more than `MOST_BYTES`.
        """
        size = (image.shape[0], image.shape[1])
        if size != self._frame:
            self._prepare(size)
        height, width = self._tiling.tile
        scaled = to_scale(image, self._tiling.scale, self._small)
        whole = padded(scaled, self._tiling.tile, self._whole)
        for tile, (top, left) in zip(self._tiles, self._corners, strict=True):
            tile[0] = whole[top : top + height, left : left + width]
        return self._tiles

    @property
    def pads(self) -> bool:
        """Whether the last frame was smaller than a tile."""
        return any(self._missing)

    def place(self, number: int) -> Place:
        """Return where a tile of the last frame lies in it, without what was padded.

        Args:
            number: of the tile, from 0.
        """
        above, _, before, _ = self._missing
        spans = [
            _span(corner - margin, side, scaled, length)
            for corner, margin, side, scaled, length in zip(
                self._corners[number],
                (above, before),
                self._tiling.tile,
                self._scaled,
                self._frame,
                strict=True,
            )
        ]
        (top, bottom), (left, right) = spans
        return Place(left, top, right - left, bottom - top)

    def _prepare(self, size: tuple[int, int]) -> None:
        """Make the buffers for frames of another size."""
        tiling = self._tiling
        scaled = scaled_size(size, tiling.scale)
        count = tiles_of(size, tiling)
        if count * tiling.tile[0] * tiling.tile[1] > MOST_BYTES:
            raise FrameError(
                f"a frame of {size[0]}x{size[1]} gives {count:,} tiles of "
                f"{tiling.tile[0]}x{tiling.tile[1]}, more than {MOST_BYTES >> 20} MiB hold"
            )
        missing = margins(scaled, tiling.tile)
        above, below, before, after = missing
        whole = (scaled[0] + above + below, scaled[1] + before + after)
        self._small = np.empty(scaled, np.uint8) if scaled != size else None
        self._whole = np.empty(whole, np.uint8) if whole != scaled else None
        self._tiles = np.empty((count, 1, *tiling.tile), np.uint8)
        self._corners = [(int(top), int(left)) for top, left in places(scaled, tiling)]
        self._missing, self._scaled, self._frame = missing, scaled, size


def tiles_of(size: tuple[int, int], tiling: Tiling) -> int:
    """Return the number of tiles of a frame.

    Args:
        size: (height, width) of the frame in pixels, before it is scaled.
    """
    count = 1
    scaled = scaled_size(size, tiling.scale)
    for length, tile, stride in zip(scaled, tiling.tile, tiling.steps, strict=True):
        count *= -(-max(0, length - tile) // stride) + 1
    return count


def _span(start: int, side: int, scaled: int, length: int) -> tuple[int, int]:
    """Return the first and last edge of a tile along one side of the frame."""
    first, last = max(0, start), min(scaled, start + side)
    return first * length // scaled, -(-last * length // scaled)
