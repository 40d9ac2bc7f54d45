"""JPEG: its markers up to the first scan. Whether the scans are whole, the decoder tells.

Source: ITU-T T.81. A marker segment has its length in it, so a thumbnail inside one is stepped
over, and its end is never taken for the image's.
"""

from __future__ import annotations

import re

from runtime.errors import FrameError
from runtime.image.formats.exif import exif_orientation
from runtime.image.formats.facts import Facts, cut_short, require_size

_EOI, _SOS, _APP1 = 0xD9, 0xDA, 0xE1
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
# Start of frame: 0xC0 to 0xCF but for DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
# In a scan, 0xFF stands before a stuffed zero, a restart marker, or the marker that ends it.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def inspect_jpeg(data: bytes) -> Facts:
    """Orientation of a JPEG that has a frame and a scan.

    Raises:
        FrameError: no scan follows, or its samples are not of 8 bits.
    """
    at, orientation, framed = 2, 1, False
    while True:
        if at + 4 > len(data):
            raise cut_short("JPEG", "before its first scan")
        if data[at] != 0xFF:
            raise FrameError(f"the JPEG is damaged: no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        if marker == _EOI:
            raise FrameError("the JPEG is damaged: it ends before its first scan")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        segment = data[at + 4 : at + 2 + length]
        if marker == _SOS:
            if not framed:
                raise FrameError("the JPEG is damaged: a scan without a frame")
            return Facts("JPEG", orientation=orientation)
        if marker in _FRAMES:
            _require_frame(marker, segment)
            framed = True
        elif marker == _APP1 and segment[:6] == b"Exif\0\0":
            orientation = exif_orientation(segment[6:])
        at += 2 + length


def jpeg_end(data: bytes) -> int | None:
    """Find where a JPEG ends, after its end marker; None where that is not in `data`."""
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == _EOI:
            return at + 2
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if marker == _SOS:
                after = _AFTER_SCAN.search(data, at)
                if after is None:
                    return None
                at = after.start()
    return None


def _require_frame(marker: int, segment: bytes) -> None:
    if len(segment) < 6:
        raise cut_short("JPEG", "in its frame header")
    if marker in _LOSSLESS:
        raise FrameError("it is a lossless JPEG, which is not supported; convert it to PNG or TIFF")
    if segment[0] != 8:
        raise FrameError(
            f"it is a {segment[0]}-bit JPEG, which is not supported; convert it to PNG or TIFF"
        )
    require_size(int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big"), "JPEG")
