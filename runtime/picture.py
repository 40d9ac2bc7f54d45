"""Encoded pictures to gray arrays, with the broken ones named.

Training and the line decode with the same function, so a picture has the same pixels in both.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import FrameError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm"})

_JPEG_START = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"


def decode_gray(data: bytes | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Decode an encoded picture to gray.

    Args:
        data: the bytes of a JPEG, PNG, BMP, TIFF, WebP or PGM file.

    Returns:
        uint8, H×W. Colour becomes gray (for JPEG by taking its luma), 16 bits become 8.

    Raises:
        FrameError: the bytes are not a picture, or the picture is cut short.
    """
    encoded = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data.reshape(-1)
    if encoded.size == 0:
        raise FrameError("the file is empty")
    # OpenCV before 5 decodes a cut JPEG to a picture whose lower part is flat gray, silently.
    # Files may carry padding after the end marker, so the marker is looked for near the end.
    if encoded[:2].tobytes() == _JPEG_START and _JPEG_END not in encoded[-4096:].tobytes():
        raise FrameError("the JPEG is cut short")
    try:
        gray = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        gray = None
    if gray is None:
        raise FrameError("it is not a picture, or it is damaged or cut short")
    return np.asarray(gray, np.uint8)


def read_gray(path: Path) -> NDArray[np.uint8]:
    """Read and decode one picture file to gray, uint8 H×W.

    Raises:
        FrameError: the file cannot be read or is no whole picture.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FrameError(error.strerror or str(error)) from error
    return decode_gray(data)
