"""Format of an encoded image, by its first bytes, whatever its file is called."""

from __future__ import annotations

import re

from runtime.errors import FrameError
from runtime.image.formats.bmp import inspect_bmp
from runtime.image.formats.facts import Facts
from runtime.image.formats.jpeg import inspect_jpeg
from runtime.image.formats.png import inspect_png
from runtime.image.formats.pnm import inspect_pnm
from runtime.image.formats.tiff import inspect_tiff
from runtime.image.formats.webp import inspect_webp

SNIFFED = 512
"""Number of first bytes that tell all kinds apart."""

READ = {
    "JPEG": inspect_jpeg,
    "PNG": inspect_png,
    "BMP": inspect_bmp,
    "TIFF": inspect_tiff,
    "WebP": inspect_webp,
    "PNM": inspect_pnm,
}
"""The kinds that are read, with what inspects them."""

# What raw converters and editors write begins like TIFF and holds a preview at best.
_RAW = frozenset(
    {".dng", ".nef", ".nrw", ".cr2", ".arw", ".sr2", ".pef", ".srw", ".3fr", ".iiq", ".erf"}
)
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# The size of the header that follows tells a bitmap from a text that begins with BM.
_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_PNM = re.compile(rb"P(?:[1-6]\s+(?:#|\d)|7\n\s*(?:#|WIDTH|HEIGHT|DEPTH|MAXVAL|TUPLTYPE))")

_STARTS = (
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\xff\xd8\xff\xf7", "JPEG-LS"),
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"PF\n", "PFM of floating point"),
    (b"Pf\n", "PFM of floating point"),
    (b"8BPS", "Photoshop"),
    (b"gimp xcf", "GIMP"),
    (b"DDS ", "DDS"),
    (b"\x59\xa6\x6a\x95", "Sun raster"),
    (b"IIRO", "camera raw"),
    (b"IIRS", "camera raw"),
    (b"IIU\0", "camera raw"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"SIMPLE  =", "FITS"),
    (b"\x93NUMPY", "NumPy"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"MATLAB 5.0 MAT-file", "MATLAB"),
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\x1a\x45\xdf\xa3", "video"),
    (b"\0\0\x01\xba", "video"),
    (b"\0\0\x01\xb3", "video"),
    (b"FLV\x01", "video"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video"),
)
# Brands of ISO media files; whatever else begins so is a video.
_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"heim": "HEIC",
    b"heis": "HEIC",
    b"hevc": "HEIC",
    b"hevx": "HEIC",
    b"mif1": "HEIC",
    b"msf1": "HEIC",
    b"crx ": "camera raw",
    b"jp2 ": "JPEG 2000",
}


def image_kind(head: bytes, suffix: str = "") -> str:
    """The format's name.

    Args:
        head: the first `SNIFFED` bytes, or all where there are fewer.
        suffix: of the file's name, in lower case: raw images of cameras begin as TIFF does.

    Returns:
        One of `READ`; the name of another known format, which is not read; empty for neither.
    """
    if head.startswith(_TIFF):
        return "camera raw" if suffix in _RAW else "TIFF"
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if _PNM.match(head):
        return "PNM"
    if head[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"AVI ": "video"}.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        # AVIF and HEIC may call themselves mif1 first; the brands that follow are exact.
        brands = [head[at : at + 4] for at in (8, *range(16, min(head[3], len(head)), 4))]
        if b"avif" in brands:
            return "AVIF"
        return _BRANDS.get(brands[0], "video")
    if head[128:132] == b"DICM":
        return "DICOM"
    if head[:1] == b"G" and head[188:189] == b"G" and head[376:377] == b"G":
        return "video"
    return ""


def inspect(data: bytes) -> Facts:
    """Read the structure of an encoded image.

    Raises:
        FrameError: it is not an image of a supported kind, it is not whole, or its form is not
            decoded.
    """
    if not data:
        raise FrameError("the file is empty")
    kind = image_kind(data[:SNIFFED])
    if kind in READ:
        return READ[kind](data)
    if kind:
        raise FrameError(f"{kind} is not supported; convert it to PNG or TIFF")
    raise FrameError("it is not an image: its first bytes match none of " + ", ".join(READ))
