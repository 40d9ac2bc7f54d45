"""TIFF: the first directory, whether its strips or tiles are all there, and how deep they are.

Source: TIFF 6.0; BigTIFF has 64-bit offsets. Of several pages the first counts.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.errors import FrameError
from runtime.image.formats.facts import Facts, cut_short, require_size

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_OFFSETS, _COUNTS, _TILE_OFFSETS, _TILE_COUNTS = 273, 279, 324, 325
_MAX_SAMPLE, _EXTRA, _FORMAT, _S_MAX_SAMPLE = 281, 338, 339, 341

_DEFLATE = (8, 32946)
_READ_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946})
_COMPRESSIONS = {
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50000: "zstd",
    50001: "WebP",
    50002: "JPEG XL",
}
_READ_BITS = frozenset({1, 8, 10, 12, 14, 16})
_PALETTE_BITS = frozenset({1, 2, 4, 8})
_WHITE_IS_ZERO, _PALETTE = 0, 3
_FORMATS = {2: "signed integers", 3: "floating point", 5: "complex integers", 6: "complex numbers"}
# BYTE, SHORT, LONG, LONG8: the only types of the tags that are looked at.
_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}
# An array of offsets is longer only in a damaged file.
_MOST_PARTS = 1 << 22
_UNASSOCIATED, _ASSOCIATED = 2, 1


@dataclass(frozen=True)
class _Field:
    """Values of one tag, and the byte at which the first of them stands."""

    values: tuple[int, ...]
    at: int


def inspect_tiff(data: bytes) -> Facts:
    """Depth of a TIFF that holds all of its strips or tiles.

    Raises:
        FrameError: it is cut short or damaged, or its samples or its compression are not decoded.
    """
    try:
        fields, order = _first_directory(data)
    except (struct.error, IndexError) as error:
        raise cut_short("TIFF", "in its directory") from error
    if _WIDTH not in fields or _HEIGHT not in fields:
        raise FrameError("the TIFF is damaged: its directory has no size")
    require_size(_first(fields, _HEIGHT, 0), _first(fields, _WIDTH, 0), "TIFF")
    _require_decodable(fields)
    _require_whole(fields, data)
    bits, deepest = _first(fields, _BITS, 1), None
    inverted = bits > 8 and _first(fields, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO
    if 8 < bits < 16:
        deepest = 65535  # OpenCV unpacks them to the upper bits of 16
    elif bits == 16:
        # Writers put the brightest value of one image there as well: only 2^n - 1 is a depth.
        said = [_first(fields, tag, 0) for tag in (_MAX_SAMPLE, _S_MAX_SAMPLE)]
        depths = [value for value in said if value > 255 and (value & (value + 1)) == 0]
        deepest = depths[0] if depths else None
    return Facts(
        "TIFF",
        maxval=deepest,
        inverted=inverted,
        unmultiplied=_unmultiplied(data, fields, order),
    )


def _first_directory(data: bytes) -> tuple[Mapping[int, _Field], str]:
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    wide = "Q" if big else "I"
    (start,) = struct.unpack_from(f"{order}{wide}", data, 8 if big else 4)
    (count,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, start)
    first, size = start + (8 if big else 2), 20 if big else 12
    fields = {}
    for entry in range(min(count, 4096)):
        at = first + size * entry
        tag, kind, number = struct.unpack_from(f"{order}HH{wide}", data, at)
        code = _TYPES.get(kind)
        if code is None or number > _MOST_PARTS:
            continue
        place = at + size - (8 if big else 4)
        if number * struct.calcsize(f"={code}") > (8 if big else 4):
            (place,) = struct.unpack_from(f"{order}{wide}", data, place)
        fields[tag] = _Field(struct.unpack_from(f"{order}{number}{code}", data, place), place)
    return fields, order


def _first(fields: Mapping[int, _Field], tag: int, default: int) -> int:
    return fields[tag].values[0] if tag in fields and fields[tag].values else default


def _require_decodable(fields: Mapping[int, _Field]) -> None:
    compression = _first(fields, _COMPRESSION, 1)
    if compression not in _READ_COMPRESSIONS:
        name = _COMPRESSIONS.get(compression, f"method {compression}")
        raise FrameError(
            f"it is a TIFF compressed with {name}, which is not supported; save it with "
            "LZW or deflate"
        )
    bits, form = _first(fields, _BITS, 1), _first(fields, _FORMAT, 1)
    if form == 2 and bits in (8, 16):
        form = 1  # told by their values: only negative ones have no gray level
    palette = _first(fields, _PHOTOMETRIC, 1) == _PALETTE
    if form in _FORMATS or bits not in (_PALETTE_BITS if palette else _READ_BITS):
        what = _FORMATS.get(form, "integers")
        raise FrameError(
            f"it is a TIFF of {bits}-bit {what}, which is not supported; save it with 8 or 16 bits"
        )


def _require_whole(fields: Mapping[int, _Field], data: bytes) -> None:
    for offsets, counts in ((_OFFSETS, _COUNTS), (_TILE_OFFSETS, _TILE_COUNTS)):
        if offsets not in fields or counts not in fields:
            continue
        parts = list(zip(fields[offsets].values, fields[counts].values, strict=False))
        there = sum(start + length <= len(data) for start, length in parts)
        if there < len(parts):
            raise cut_short("TIFF", f"after {there} of {len(parts)} strips or tiles")
        if _first(fields, _COMPRESSION, 1) in _DEFLATE:
            _require_sums(parts, data)
        return
    if _OFFSETS not in fields and _TILE_OFFSETS not in fields:
        raise FrameError("the TIFF is damaged: its directory lists no strips or tiles")


def _require_sums(parts: Sequence[tuple[int, int]], data: bytes) -> None:
    """Check deflated data against its checksums: OpenCV ignores libtiff's complaints."""
    for number, (start, length) in enumerate(parts):
        try:
            zlib.decompress(memoryview(data)[start : start + length])
        except zlib.error as error:
            raise FrameError(
                f"the TIFF is damaged: strip or tile {number + 1} of {len(parts)} cannot "
                "be decompressed"
            ) from error


def _unmultiplied(data: bytes, fields: Mapping[int, _Field], order: str) -> bytes | None:
    """Mark a TIFF's alpha as associated, so that libtiff multiplies no colour with it."""
    if _first(fields, _EXTRA, 0) != _UNASSOCIATED or _first(fields, _BITS, 1) != 8:
        return None
    changed = bytearray(data)
    struct.pack_into(f"{order}H", changed, fields[_EXTRA].at, _ASSOCIATED)
    return bytes(changed)
