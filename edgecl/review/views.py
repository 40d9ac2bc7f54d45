"""Images as the review page shows them: encoded for a browser, the latest ones kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from runtime.errors import FrameError
from runtime.image.decode import Gray, decode_image, read_encoded
from runtime.image.depth import depth_of, to_8_bits
from runtime.serving.live.images import encoded

KEPT = 128
"""Images that are kept encoded: reviewers go back and forth."""

LONGEST_WHOLE = 8192
"""Pixels along a side of what is shown enlarged, at most."""

_QUALITY = 92


class ImageViews:
    """Encodes images of the disk. May be called from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Path, str, int | None], bytes] = OrderedDict()

    def view(
        self, path: Path, kind: str, bits: int | None = None, *, in_colour: bool = False
    ) -> bytes | None:
        """Return an image as JPEG; None where it is gone, or no image any more.

        Args:
            kind: `image`, `thumbnail`, or `whole` for every pixel of it.
            bits: how many of 16 are used; None to go by the values.
            in_colour: the file is a JPEG in colour, and is shown as it is.
        """
        key = path, kind, bits
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        try:
            found = {kind: read_encoded(path)} if in_colour else _encoded(path, kind, bits)
        except (FrameError, cv2.error, ValueError, MemoryError):
            return None
        with self._lock:
            for name, data in found.items():
                self._kept[path, name, bits] = data
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found[kind]


def _encoded(path: Path, kind: str, bits: int | None) -> dict[str, bytes]:
    """Return the kind that was asked for, and what was made beside it."""
    pixels = decode_image(read_encoded(path))
    if kind != "whole":
        found = encoded(pixels, bits)
        return {"thumbnail": found.thumbnail, "image": found.image}
    gray = _in_8_bits(pixels, bits)
    longest = max(gray.shape)
    if longest > LONGEST_WHOLE:
        scale = LONGEST_WHOLE / longest
        size = tuple(max(1, int(side * scale)) for side in gray.shape[::-1])
        gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    data = np.ascontiguousarray(gray[:, :, None])
    return {kind: bytes(simplejpeg.encode_jpeg(data, _QUALITY, "GRAY", "Gray"))}


def _in_8_bits(gray: Gray, bits: int | None) -> NDArray[np.uint8]:
    if gray.dtype == np.uint8:
        return gray.astype(np.uint8, copy=False)
    samples = gray.astype(np.uint16, copy=False)
    needed = depth_of(int(samples.max(initial=0)))
    return to_8_bits(samples, max(bits or needed, needed))
