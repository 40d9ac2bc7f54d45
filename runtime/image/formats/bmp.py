"""BMP: its two headers, and whether all rows are there."""

from __future__ import annotations

import struct

from runtime.image.formats.facts import Facts, cut_short, require_size

_OLD_HEADER = 12
_RUN_LENGTHS = (1, 2)


def inspect_bmp(data: bytes) -> Facts:
    """Check that a BMP holds all of its rows. A negative height means that the top comes first.

    Raises:
        FrameError: it is cut short.
    """
    if len(data) < 34:
        raise cut_short("BMP", "in its header")
    (start,) = struct.unpack_from("<I", data, 10)
    (header,) = struct.unpack_from("<I", data, 14)
    compression = 0
    if header == _OLD_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    require_size(abs(height), width, "BMP")
    stride = (width * bits + 31) // 32 * 4
    # The length of run lengths is known only to the decoder.
    if compression not in _RUN_LENGTHS and start + stride * abs(height) > len(data):
        rows = max(0, len(data) - start) // max(stride, 1)
        raise cut_short("BMP", f"after {rows} of {abs(height)} rows")
    return Facts("BMP")
