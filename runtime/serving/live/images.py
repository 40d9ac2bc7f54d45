"""Images of frames as a browser shows them: reduced, in 8 bits, as JPEG."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from runtime.image.depth import depth_of, to_8_bits

MOST_SHOWN, LONGEST_SHOWN = 480_000, 1280
MOST_OF_THUMBNAIL, LONGEST_OF_THUMBNAIL = 24_000, 320
"""Pixels, and pixels along a side, of images and thumbnails at most."""

_QUALITY = 80


@dataclass(frozen=True)
class EncodedImage:
    """A frame as JPEG, and the thumbnail of it."""

    image: bytes
    thumbnail: bytes


def encoded(pixels: NDArray[np.generic], bits: int | None) -> EncodedImage:
    """Encode a frame.

    Args:
        pixels: uint8 or uint16, H×W, H×W×1, H×W×3 (BGR) or H×W×4 (BGRA).
        bits: how many of 16 are used; None where nothing tells.
    """
    shown = _fitted(_in_8_bits(pixels, bits), MOST_SHOWN, LONGEST_SHOWN)
    small = _fitted(shown, MOST_OF_THUMBNAIL, LONGEST_OF_THUMBNAIL)
    return EncodedImage(_jpeg(shown), _jpeg(small))


def _in_8_bits(pixels: NDArray[np.generic], bits: int | None) -> NDArray[np.uint8]:
    if pixels.ndim == 3:
        pixels = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels[:, :, :3]
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    samples = pixels.astype(np.uint16, copy=False)
    # Every second row may have been left out, and with it the largest value.
    needed = depth_of(min(int(samples.max(initial=0)), 65535))
    return to_8_bits(samples, max(bits or needed, needed))


def _fitted(image: NDArray[np.uint8], pixels: int, longest: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = min(1.0, math.sqrt(pixels / (height * width)), longest / max(height, width))
    if scale == 1.0:
        return image
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    gray = image.ndim == 2
    data = np.ascontiguousarray(image[:, :, None] if gray else image)
    if gray:
        return bytes(simplejpeg.encode_jpeg(data, _QUALITY, "GRAY", "Gray", fastdct=True))
    return bytes(simplejpeg.encode_jpeg(data, _QUALITY, "BGR", "420", fastdct=True))
