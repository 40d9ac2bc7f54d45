"""Which format an encoded image has, by its first bytes, whatever its file is called."""

from __future__ import annotations

import re

from runtime.errors import FrameError
from runtime.image_formats.bmp import inspect_bmp
from runtime.image_formats.facts import Facts
from runtime.image_formats.jpeg import inspect_jpeg
from runtime.image_formats.png import inspect_png
from runtime.image_formats.pnm import inspect_pnm
from runtime.image_formats.tiff import inspect_tiff
from runtime.image_formats.webp import inspect_webp

SNIFFED = 32
"""So many first bytes are enough to tell the kind."""

READ = {
    "JPEG": inspect_jpeg,
    "PNG": inspect_png,
    "BMP": inspect_bmp,
    "TIFF": inspect_tiff,
    "WebP": inspect_webp,
    "PNM": inspect_pnm,
}
"""The kinds that are read, with what inspects them."""

_MAGIC = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"GIF8", "GIF"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "Photoshop file"),
    (b"%PDF", "PDF"),
    (b"\x1a\x45\xdf\xa3", "Matroska or WebM video"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"SIMPLE  =", "FITS"),
    (b"PF\n", "PFM of floating point"),
    (b"Pf\n", "PFM of floating point"),
)
_PNM = re.compile(rb"P[1-7][ \t\r\n#]")
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIF", b"heix": "HEIF", b"mif1": "HEIF"}


def image_kind(head: bytes) -> str:
    """The format's name.

    Args:
        head: the first `SNIFFED` bytes, or all where there are fewer.

    Returns:
        One of `READ`; the name of another known format, which is not read; empty for neither.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"AVI ": "AVI video"}.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "MP4 video")
    # "BM" begins many a text: the size of the second header tells.
    if head[:2] == b"BM" and head[14:18] in (
        size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)
    ):
        return "BMP"
    return "PNM" if _PNM.match(head) else ""


def inspect(data: bytes) -> Facts:
    """Read the structure of an encoded image.

    Raises:
        FrameError: it is no image of a kind that is read, it is not whole, or its form is not
            decoded.
    """
    if not data:
        raise FrameError("the file is empty")
    kind = image_kind(data[:SNIFFED])
    if kind in READ:
        return READ[kind](data)
    if kind:
        raise FrameError(f"it is a {kind}, which is not read; convert it to PNG or TIFF")
    raise FrameError("it is not a picture: it begins like none of " + ", ".join(READ))
