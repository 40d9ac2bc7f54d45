"""Decoding of images to gray arrays; broken ones are named.

Training and the line decode with the same function, so an image has the same pixels in both, and
with either of OpenCV's major versions: what they do differently (EXIF, alpha, colour to gray
within a decoder) is done here.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from runtime.errors import FrameError
from runtime.image.depth import DEPTHS, scaled_to_8_bits, to_8_bits
from runtime.image.formats import inspect
from runtime.image.formats.exif import upright

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm"})

LARGEST_FILE = (1 << 31) - 1
"""Maximum bytes that OpenCV decodes from."""

Gray = NDArray[np.uint8] | NDArray[np.uint16]

# Colour is made gray by one rule for all formats, and EXIF and alpha are looked after here.
_FLAGS = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
# Some cameras pad the last scan with zeros before the end marker.
_PADDED = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_EOI = b"\xff\xd9"
# TurboJPEG has no name for rare subsamplings and leaves them alone.
_UNKNOWN_SUBSAMPLING = "subsampling"


def decode_image(data: bytes | NDArray[np.uint8]) -> Gray:
    """Decode an encoded image to gray, in the depth that it has.

    Args:
        data: the bytes of a JPEG, PNG, BMP, TIFF, WebP or PNM file; what follows the image's own
            end (a driver's padding, a camera's trailer) does not matter.

    Returns:
        H×W, upright. uint8; uint16 where the samples have 16 bits and nothing in the file says how
        many of them are used. Colour becomes gray with BT.601's weights (a JPEG's luma is
        taken as it is); alpha is left out: the colours count as they are stored.

    Raises:
        FrameError: the bytes are not an image, it is cut short or damaged, or of a form that is
            not read; the message says which.
    """
    encoded = data if isinstance(data, bytes) else data.tobytes()
    facts = inspect(encoded)
    if facts.kind == "JPEG":
        return np.asarray(upright(_decode_jpeg(encoded), facts.orientation), np.uint8)
    gray = _to_gray(_imdecode(facts.unmultiplied or encoded, facts.kind))
    if facts.maxval is not None:
        gray = scaled_to_8_bits(gray, facts.maxval)
        gray = 255 - gray if facts.inverted else gray
    elif facts.inverted:
        gray = _upside_up(gray)
    turned: Gray = upright(gray, facts.orientation)  # type: ignore[assignment]
    return turned


def decode_gray(data: bytes | NDArray[np.uint8], *, bits: int = 16) -> NDArray[np.uint8]:
    """Decode an encoded image to 8-bit gray.

    Args:
        data: as for `decode_image`.
        bits: how many of 16 bits are used, where the file does not say.

    Returns:
        uint8, H×W.

    Raises:
        FrameError: see `decode_image`; or a value is too large for `bits`.
    """
    return in_8_bits(decode_image(data), bits)


def in_8_bits(gray: Gray, bits: int = 16) -> NDArray[np.uint8]:
    """Reduce the result of `decode_image` to 8 bits: uint8 of the same shape.

    Raises:
        FrameError: a value is too large for `bits`.
    """
    if gray.dtype == np.uint8:
        return gray.astype(np.uint8, copy=False)
    return to_8_bits(gray.astype(np.uint16, copy=False), bits)


def _decode_jpeg(encoded: bytes) -> NDArray[np.uint8]:
    """A JPEG's luma, uint8 H×W; every complaint of the decoder is an error.

    OpenCV's decoders fill what is missing with gray, or with what was decoded before, and say so
    to the terminal alone.
    """
    try:
        return _strictly(encoded)
    except ValueError as error:
        problem = str(error)
    if _UNKNOWN_SUBSAMPLING in problem:
        if _EOI not in encoded:
            raise FrameError("the JPEG is truncated")
        return np.asarray(_to_gray(_imdecode(encoded, "JPEG")), np.uint8)
    if padding := _PADDED.search(problem):
        end = encoded.rfind(_EOI)
        start = end - int(padding[1])
        if not encoded[start:end].strip(b"\0"):
            try:
                return _strictly(encoded[:start] + encoded[end:])
            except ValueError:
                pass
    if "remature end" in problem:
        raise FrameError(f"the JPEG is truncated ({problem})")
    raise FrameError(f"the JPEG is damaged ({problem})")


def _strictly(encoded: bytes) -> NDArray[np.uint8]:
    gray: NDArray[np.uint8] = simplejpeg.decode_jpeg(encoded, "GRAY", strict=True)[:, :, 0]
    return gray


def _upside_up(gray: Gray) -> Gray:
    """16-bit samples of which 0 is white, with black as 0."""
    largest = int(gray.max(initial=0))
    if not largest >> DEPTHS[-2]:
        raise FrameError(
            f"it stores white as 0 and its largest value is {largest}, so the black level "
            "is unknown; save it with black as 0"
        )
    return (65535 - gray.astype(np.uint16, copy=False)).astype(np.uint16)


def _imdecode(encoded: bytes, kind: str) -> NDArray[np.generic]:
    try:
        pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), _FLAGS)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise FrameError(f"the {kind} is damaged or of an unsupported variant")
    return np.asarray(pixels)


def _to_gray(pixels: NDArray[np.generic]) -> Gray:
    """Gray or BGR of whatever depth to gray, uint8 or uint16."""
    if pixels.dtype in (np.int16, np.int8):
        if pixels.min(initial=0) < 0:
            raise FrameError("it has negative values, which are not gray levels")
        pixels = pixels.astype(np.uint16 if pixels.dtype == np.int16 else np.uint8)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise FrameError(f"its samples are {pixels.dtype}; save it with 8 or 16 bits")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    elif pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    gray: Gray = pixels  # type: ignore[assignment]
    return gray


def read_encoded(path: Path) -> bytes:
    """The bytes of an image file.

    Raises:
        FrameError: the file cannot be read, is larger than what can be decoded, or is not a file: a
            pipe would be waited for, and a device be read without an end.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise FrameError("it is a pipe, socket or device")
            if facts.st_size > LARGEST_FILE:
                raise FrameError(
                    f"the file has {facts.st_size / 2**30:.1f} GiB, which is too large to decode; "
                    "split the image into tiles"
                )
            return file.read()
    except OSError as error:
        raise FrameError(error.strerror or str(error)) from error


def _open_at_once(path: str, flags: int) -> int:
    """Open a file, and a pipe without waiting for its other end."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_image(path: Path) -> Gray:
    """Read and decode one file as `decode_image` does.

    Raises:
        FrameError: the file cannot be read or is no whole image.
    """
    return decode_image(read_encoded(path))


def read_gray(path: Path) -> NDArray[np.uint8]:
    """Read and decode one file to 8-bit gray, H×W, as `decode_gray` does.

    Raises:
        FrameError: the file cannot be read or is no whole image.
    """
    return in_8_bits(read_image(path))
