"""EXIF's orientation, and how it is undone.

Source: Exif 2.32, tag 0x0112: 1 is upright; 2 mirrored left to right; 3 turned by 180°; 4 mirrored
top to bottom; 5 transposed; 6 to be turned by 90° clockwise; 7 transversed; 8 to be turned by 90°
counter-clockwise. OpenCV 4.10 obeys it in JPEG and PNG, 5.0 in WebP as well: it is done here, so
that an image has the same pixels with either.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

ORIENTATION = 0x0112


def exif_orientation(block: bytes) -> int:
    """The orientation in an EXIF block (a TIFF header and its first directory).

    Returns:
        1 to 8; 1 where the block names none, or is damaged.
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        for entry in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", block, start + 2 + 12 * entry)
            if (tag, kind) == (ORIENTATION, 3):
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def upright(image: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """An image as EXIF wants it shown: H×W or W×H, C-contiguous."""
    if orientation == 1:
        return image
    turned = image.swapaxes(0, 1) if orientation >= 5 else image
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return np.ascontiguousarray(turned)
