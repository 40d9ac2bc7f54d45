"""PNG: every chunk, with its checksum, up to the end chunk.

Source: PNG specification, third edition. OpenCV is content with an image whose last rows are
missing; here the file must reach IEND.
"""

from __future__ import annotations

import zlib

from runtime.errors import FrameError
from runtime.image.formats.exif import exif_orientation
from runtime.image.formats.facts import Facts, cut_short, require_size


def inspect_png(data: bytes) -> Facts:
    """Orientation of a whole PNG.

    Samples of 16 bits have no `maxval`: the format wants them scaled to all 16, and writers of
    10 and 12 bits do not care, so the values have to tell.

    Raises:
        FrameError: it is cut short, or a checksum is wrong.
    """
    at, orientation = 8, 1
    while True:
        if at + 12 > len(data):
            raise cut_short("PNG")
        length = int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data):
            raise cut_short("PNG", f"in its chunk {name.decode('latin-1')}")
        body = memoryview(data)[at + 4 : end]
        if zlib.crc32(body) != int.from_bytes(data[end : end + 4], "big"):
            raise FrameError(
                f"the PNG is damaged: wrong checksum in its chunk {name.decode('latin-1')}"
            )
        if name == b"IHDR":
            width = int.from_bytes(body[4:8], "big")
            require_size(int.from_bytes(body[8:12], "big"), width, "PNG")
        elif name == b"eXIf":
            orientation = exif_orientation(bytes(body[4:]))
        elif name == b"IEND":
            return Facts("PNG", orientation=orientation)
        at = end + 4
