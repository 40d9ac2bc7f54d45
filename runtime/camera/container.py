"""Whether a video file holds all that its container announces: AVI, MP4 and QuickTime, Matroska.

Frame counts in headers are no measure: an edit list shows fewer frames than there are samples, a
chunk without bytes repeats the frame before, and recorders guess. A file is cut short where a
chunk that was begun ends behind the end of the file, or where a list that was finished announces
more than is there.

Sources: OpenDML AVI 1.02; ISO/IEC 14496-12; RFC 8794 (EBML) and RFC 9559 (Matroska).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# A RIFF size that a recorder did not come to write at its end.
_UNFINISHED = frozenset({0, 0xFFFFFFFF})
_MP4_MEDIA = frozenset({b"mdat", b"moof", b"moov"})
_MP4_PARENTS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
_SEGMENT, _CLUSTER, _EBML = 0x18538067, 0x1F43B675, 0x1A45DFA3
# A file made to mislead must not keep us walking.
_MOST_CHUNKS = 20_000_000


def missing_part(path: Path) -> str | None:
    """What of a video file is missing behind its end.

    Args:
        path: a regular file.

    Returns:
        What was announced and is not there, in words; empty where the container is whole; None
        where it is of another kind, or does not tell.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(16)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return _missing_of_avi(file, size)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp"):
            return _missing_of_mp4(file, size)
        if int.from_bytes(head[:4], "big") == _EBML:
            return _missing_of_matroska(file, size)
    return None


def _read_at(file: BinaryIO, at: int, count: int) -> bytes:
    """Bytes at a place, which in a damaged file may be no place at all."""
    if at >= os.fstat(file.fileno()).st_size:
        return b""
    file.seek(at)
    return file.read(count)


def _words(what: str, end: int, size: int) -> str:
    return f"{what} ends at byte {end:,}, the file at {size:,}"


def _missing_of_avi(file: BinaryIO, size: int) -> str:
    at = 0
    for _ in range(_MOST_CHUNKS):  # an OpenDML file is several RIFFs, one after the other
        head = _read_at(file, at, 12)
        if len(head) < 12 or head[:4] != b"RIFF":
            return ""  # what follows the last RIFF is padding
        length = int.from_bytes(head[4:8], "little")
        unfinished = length in _UNFINISHED
        end = size if unfinished else at + 8 + length
        missing = _missing_of_riff(file, at + 12, min(end, size), size)
        if missing or unfinished:
            return missing
        at = end + end % 2
    return ""


def _missing_of_riff(file: BinaryIO, start: int, end: int, size: int) -> str:
    for name, length, at in _riff_chunks(file, start, end):
        if name != b"LIST" or _read_at(file, at + 8, 4) != b"movi":
            continue
        announced = at + 8 + length
        if length not in _UNFINISHED and announced <= size:
            continue
        for _, inner, place in _movi_chunks(file, at + 12, size):
            if place + 8 + inner > size:
                return _words("the frame's chunk", place + 8 + inner, size)
        if length not in _UNFINISHED and announced > size:
            return _words("the list of frames", announced, size)
    return ""


def _movi_chunks(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The chunks of a list of frames; those of an index behind an unfinished list are no harm."""
    for name, length, at in _riff_chunks(file, start, end):
        if name == b"LIST":  # `rec `: frames that are to be read at once
            yield from _riff_chunks(file, at + 12, min(at + 8 + length, end))
        elif name not in (b"idx1", b"JUNK", b"RIFF"):
            yield name, length, at


def _riff_chunks(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, length and place of each chunk that begins before `end`."""
    at = start
    while at + 8 <= end:
        head = _read_at(file, at, 8)
        if len(head) < 8 or not head[:4].strip(b"\0"):
            return
        length = int.from_bytes(head[4:8], "little")
        yield head[:4], length, at
        at += 8 + length + length % 2


def _missing_of_mp4(file: BinaryIO, size: int) -> str:
    found: set[bytes] = set()
    for name, end, at in _boxes(file, 0, size):
        found.add(name)
        if name in _MP4_MEDIA and end > size:
            return _words(f"the box {name.decode('latin-1')}", end, size)
        if name == b"moov" and (last := _last_chunk(file, at + 8, end)) >= size:
            return _words("the last chunk of frames", last, size)
    if found and b"moov" not in found:
        return "the table of frames (moov), which is written last, is not there"
    return ""


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, end and place of each box of ISO/IEC 14496-12 that begins before `end`."""
    at = start
    while at + 8 <= end:
        head = _read_at(file, at, 16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            length = end - at
        if length < 8:
            return
        yield head[4:8], at + length, at
        at += length


def _last_chunk(file: BinaryIO, start: int, end: int) -> int:
    """The byte at which the last chunk of frames begins; 0 where there is no such table."""
    last = 0
    for name, stop, at in _boxes(file, start, end):
        if name in _MP4_PARENTS:
            last = max(last, _last_chunk(file, at + 8, stop))
        elif name in (b"stco", b"co64"):
            width = 8 if name == b"co64" else 4
            count = int.from_bytes(_read_at(file, at + 12, 4), "big")
            if 0 < count * width <= stop - at:
                place = at + 16 + (count - 1) * width
                last = max(last, int.from_bytes(_read_at(file, place, width), "big"))
    return last


def _missing_of_matroska(file: BinaryIO, size: int) -> str:
    at = 0
    while (element := _element(file, at)) is not None:
        identity, start, length = element
        if identity == _SEGMENT:
            if length is None:
                return _missing_of_segment(file, start, size)
            return "" if start + length <= size else _words("the segment", start + length, size)
        if length is None:
            return ""
        at = start + length
    return "the segment of frames is not there"


def _missing_of_segment(file: BinaryIO, start: int, size: int) -> str:
    """A segment whose length was never written, as a recorder leaves it that was killed."""
    at = start
    while (element := _element(file, at)) is not None:
        identity, inside, length = element
        if length is None:
            # A cluster of unknown length: its blocks follow, and the next cluster after them.
            at = inside
            continue
        if inside + length > size:
            what = "the cluster" if identity == _CLUSTER else "the block"
            return _words(what, inside + length, size)
        at = inside + length
    return ""


def _element(file: BinaryIO, at: int) -> tuple[int, int, int | None] | None:
    """Identity, start and length (None for unknown) of an EBML element; None at the file's end."""
    head = _read_at(file, at, 12)
    if not head or not head[0]:
        return None
    width = 9 - head[0].bit_length()
    if len(head) <= width or not head[width]:
        return None
    identity = int.from_bytes(head[:width], "big")
    digits = 9 - head[width].bit_length()
    if len(head) < width + digits:
        return None
    unknown = (1 << 7 * digits) - 1
    length = int.from_bytes(head[width : width + digits], "big") & unknown
    return identity, at + width + digits, None if length == unknown else length
