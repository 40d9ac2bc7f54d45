"""Encoded images of odd forms, made by hand where no encoder makes them."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping

import cv2
import numpy as np
from PIL import Image

SHAPE = (48, 80)


def steel(shape: tuple[int, int] = SHAPE, seed: int = 0) -> np.ndarray:
    """A gray image that no turn or mirror leaves as it is: uint8."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 60, shape), (0, 0), 1.5)
    gray: np.ndarray = 110 + grain + np.linspace(0, 40, shape[1])[None]
    gray[4:12, 6:30] = 235
    image: np.ndarray = np.clip(gray, 0, 255).astype(np.uint8)
    return image


def encoded(image: np.ndarray, kind: str, **options: object) -> bytes:
    """By Pillow, gray or colour."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


def jpeg(image: np.ndarray, **options: object) -> bytes:
    return encoded(image, "JPEG", quality=92, **options)


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more marker segment behind its start."""
    return data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + data[2:]


def exif(orientation: int) -> bytes:
    """An EXIF block that holds the orientation alone."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def tiff(
    samples: np.ndarray,
    bits: int,
    *,
    tags: Mapping[int, int] | None = None,
    order: str = "<",
) -> bytes:
    """An uncompressed TIFF of one strip.

    Args:
        samples: H×W or H×W×C; packed tightly where `bits` is no whole number of bytes.
        tags: further or other tags, of one SHORT each.
    """
    height, width = samples.shape[:2]
    channels = samples.shape[2] if samples.ndim == 3 else 1
    if bits in (8, 16, 32):
        kind = {8: "u1", 16: "u2", 32: "u4"}[bits]
        if samples.dtype.kind == "f":
            kind = "f4"
        data = samples.astype(f"{order}{kind}").tobytes()
    else:
        data = b"".join(_packed(row.ravel().tolist(), bits) for row in samples)
    short = {258: bits, 259: 1, 262: 2 if channels > 2 else 1, 277: channels, 284: 1}
    short |= dict(tags or {})
    long = {256: width, 257: height, 273: 8, 278: height, 279: len(data)}
    start = 8 + len(data) + len(data) % 2
    entries = b""
    for tag in sorted({*short, *long}):
        if tag in long:
            entries += struct.pack(f"{order}HHII", tag, 4, 1, long[tag])
        elif tag == 258 and channels > 1:
            # Two SHORTs fit into the entry; four stand behind the directory.
            place = start + 2 + 12 * len({*short, *long}) + 4
            entries += struct.pack(f"{order}HHII", tag, 3, channels, place)
        else:
            entries += struct.pack(f"{order}HHIHH", tag, 3, 1, short[tag], 0)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start)
    directory = struct.pack(f"{order}H", len({*short, *long})) + entries + bytes(4)
    more = struct.pack(f"{order}{channels}H", *[bits] * channels) if channels > 1 else b""
    return head + data + bytes(len(data) % 2) + directory + more


def pgm(samples: np.ndarray, maxval: int) -> bytes:
    """A PGM whose white is `maxval`."""
    height, width = samples.shape
    kind = ">u2" if maxval > 255 else "u1"
    return b"P5\n# a camera\n%d %d\n%d\n" % (width, height, maxval) + samples.astype(kind).tobytes()


def _packed(values: list[int], bits: int) -> bytes:
    text = "".join(format(value, f"0{bits}b") for value in values)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))
