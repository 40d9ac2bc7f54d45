"""Raw video of GStreamer as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera.live.feed import FramePixels
from runtime.errors import FrameError

FORMATS = ("GRAY8", "GRAY16_LE", "I420", "NV12", "YUY2", "UYVY", "BGR", "BGRx", "BGRA")
"""Formats that are read, the preferred ones first. Of YUV the luma is taken."""

# Bytes per pixel in the first plane, and the first of them that is used.
_LAYOUTS = {
    "GRAY8": (1, 0),
    "GRAY16_LE": (2, 0),
    "I420": (1, 0),
    "NV12": (1, 0),
    "YUY2": (2, 0),
    "UYVY": (2, 1),
    "BGR": (3, 0),
    "BGRx": (4, 0),
    "BGRA": (4, 0),
}
_YUV = frozenset({"I420", "NV12", "YUY2", "UYVY"})
# Luma of 16 to 235, as video has it, to the 0 to 255 of images.
_TO_FULL = np.clip(np.round((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class RawLayout:
    """Place of the pixels in a buffer.

    Args:
        format: of `FORMATS`.
        width, height: in pixels.
        stride: bytes from one row to the next.
        offset: bytes before the first row.
        limited: luma goes from 16 to 235.
    """

    format: str
    width: int
    height: int
    stride: int
    offset: int = 0
    limited: bool = False


def pixels_of(data: bytes, layout: RawLayout) -> FramePixels:
    """Return the pixels of a buffer: H×W gray, uint8 or uint16; H×W×3 uint8 of BGR.

    Raises:
        FrameError: the buffer is shorter than its layout.
    """
    size, first = _LAYOUTS[layout.format]
    row = layout.width * size
    needed = layout.offset + layout.stride * (layout.height - 1) + row
    if len(data) < needed:
        raise FrameError(f"its buffer has {len(data):,} of {needed:,} bytes")
    rows: NDArray[np.uint8] = np.lib.stride_tricks.as_strided(
        np.frombuffer(data, np.uint8, offset=layout.offset),
        (layout.height, row),
        (layout.stride, 1),
        writeable=False,
    )
    if layout.format == "GRAY16_LE":
        return np.ascontiguousarray(rows).view("<u2").astype(np.uint16, copy=False)
    if size >= 3:
        colours = rows.reshape(layout.height, layout.width, size)[:, :, :3]
        return np.ascontiguousarray(colours)
    gray = np.ascontiguousarray(rows[:, first::size])
    if layout.limited and layout.format in _YUV:
        return np.asarray(cv2.LUT(gray, _TO_FULL), np.uint8)
    return gray
