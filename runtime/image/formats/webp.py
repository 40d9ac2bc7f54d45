"""WebP: whether the container holds what it announces, and EXIF's orientation.

Source: RFC 9649.
"""

from __future__ import annotations

from runtime.errors import FrameError
from runtime.image.formats.exif import exif_orientation
from runtime.image.formats.facts import Facts, cut_short


def inspect_webp(data: bytes) -> Facts:
    """Orientation of a whole WebP image.

    Raises:
        FrameError: it is cut short, or an animation.
    """
    size = int.from_bytes(data[4:8], "little") + 8
    if size > len(data):
        raise cut_short("WebP", f"after {len(data):,} of {size:,} bytes")
    at, orientation, framed = 12, 1, False
    while at + 8 <= size:
        name = data[at : at + 4]
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > size:
            raise cut_short("WebP", f"in its chunk {name.decode('latin-1').strip()}")
        if name == b"ANIM":
            raise FrameError("it is a WebP animation, which is not supported; use single images")
        if name in (b"VP8 ", b"VP8L"):
            framed = True
        elif name == b"EXIF":
            block = data[at + 8 : at + 8 + length]
            orientation = exif_orientation(block.removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    if not framed:
        raise FrameError("the WebP is damaged: it contains no image")
    return Facts("WebP", orientation=orientation)
