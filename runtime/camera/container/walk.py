"""Whether a video file holds all that its container announces.

AVI, MP4 and QuickTime, Matroska and WebM, MPEG transport streams, GIF.

Frame counts in headers are no measure: an edit list shows fewer frames than there are samples, a
chunk without bytes repeats the frame before, and recorders guess. A file is cut short where a
chunk that was begun ends behind the end of the file, or where a list that was finished announces
more than is there.

Sources: OpenDML AVI 1.02; ISO/IEC 14496-12; RFC 8794 (EBML) and RFC 9559 (Matroska); ISO/IEC
13818-1; GIF89a.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from runtime.camera.container.ending import WHOLE, Ending, cut, read_at
from runtime.camera.container.packets import ending_of_packets

# Lengths that a recorder writes first, and did not come to replace by the true ones: none, that of
# an empty list, and the largest that it knows.
_NEVER_MORE_THAN = 4
_NEVER_FROM = 0x7FFFFF00
_MP4_MEDIA = frozenset({b"mdat", b"moof", b"moov"})
_MP4_PARENTS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
_SEGMENT, _CLUSTER, _EBML = 0x18538067, 0x1F43B675, 0x1A45DFA3
_TS_PACKET, _M2TS_PACKET = 188, 192
_HEAD = 512
# A file made to mislead must not keep us walking.
_MOST_CHUNKS = 20_000_000


def ending_of(path: Path) -> Ending:
    """Return the ending of a video file.

    Args:
        path: a regular file.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(_HEAD)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return _ending_of_avi(file, size)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp"):
            return _ending_of_mp4(file, size)
        if int.from_bytes(head[:4], "big") == _EBML:
            return _ending_of_matroska(file, size)
        if head[:4] == b"GIF8":
            return _ending_of_gif(file)
        if head[::_TS_PACKET][:3] == b"G" * 3:
            return _ending_of_ts(size, _TS_PACKET)
        if head[4::_M2TS_PACKET][:3] == b"G" * 3:
            return _ending_of_ts(size, _M2TS_PACKET)
        return ending_of_packets(file, size, head)


def _ending_of_ts(size: int, packet: int) -> Ending:
    """Tell the ending of a transport stream; a cut between two packets cannot be seen."""
    rest = size % packet
    end = size - rest + packet
    return cut(f"a packet of {packet} bytes", end, size, partial=True) if rest else WHOLE


def _ending_of_avi(file: BinaryIO, size: int) -> Ending:
    at = 0
    for _ in range(_MOST_CHUNKS):  # an OpenDML file is several RIFFs, one after the other
        head = read_at(file, at, 12)
        if len(head) < 12 or head[:4] != b"RIFF":
            # Padding, or frames behind a length that was never set right.
            return _ending_of_riff(file, 12, size, size)
        length = int.from_bytes(head[4:8], "little")
        unfinished = _is_unfinished(length)
        end = size if unfinished else at + 8 + length
        ending = _ending_of_riff(file, at + 12, min(end, size), size)
        if ending.missing or unfinished:
            return ending
        at = end + end % 2
    return WHOLE


def _is_unfinished(length: int) -> bool:
    return length <= _NEVER_MORE_THAN or length >= _NEVER_FROM


def _ending_of_riff(file: BinaryIO, start: int, end: int, size: int) -> Ending:
    for name, length, at in _riff_chunks(file, start, end):
        if name != b"LIST" or read_at(file, at + 8, 4) != b"movi":
            continue
        announced = at + 8 + length
        if not _is_unfinished(length) and announced <= size:
            continue
        for chunk, inner, place in _movi_chunks(file, at + 12, size):
            if place + 8 + inner > size:
                frame = chunk[2:] in (b"dc", b"db")
                return cut("the last chunk", place + 8 + inner, size, partial=frame)
        if not _is_unfinished(length) and announced > size:
            return cut("the list of frames", announced, size)
    return WHOLE


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
        head = read_at(file, at, 8)
        if len(head) < 8 or not all(32 <= character < 127 for character in head[:4]):
            return  # room that was set aside, zeros or whatever the disk had there
        length = int.from_bytes(head[4:8], "little")
        yield head[:4], length, at
        at += 8 + length + length % 2


def _ending_of_mp4(file: BinaryIO, size: int) -> Ending:
    found: set[bytes] = set()
    for name, end, at in _boxes(file, 0, size):
        found.add(name)
        if name in _MP4_MEDIA and end > size:
            return cut(f"the box {name.decode('latin-1')}", end, size, partial=True)
        if name == b"moov" and (last := _last_chunk(file, at + 8, end)) >= size:
            return cut("the last chunk of frames", last, size, partial=True)
    if found and b"moov" not in found:
        return Ending(missing="the table of frames (moov), which is written last, is missing")
    return WHOLE


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, end and place of each box of ISO/IEC 14496-12 that begins before `end`."""
    at = start
    while at + 8 <= end:
        head = read_at(file, at, 16)
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
            count = int.from_bytes(read_at(file, at + 12, 4), "big")
            if 0 < count * width <= stop - at:
                place = at + 16 + (count - 1) * width
                last = max(last, int.from_bytes(read_at(file, place, width), "big"))
    return last


def _ending_of_matroska(file: BinaryIO, size: int) -> Ending:
    at = 0
    while (element := _element(file, at)) is not None:
        identity, start, length = element
        if identity == _SEGMENT:
            if length is None:
                return _ending_of_segment(file, start, size)
            return WHOLE if start + length <= size else cut("the segment", start + length, size)
        if length is None:
            return WHOLE
        at = start + length
    return Ending(missing="the segment of frames is missing")


def _ending_of_segment(file: BinaryIO, start: int, size: int) -> Ending:
    """Return the ending of a segment without a length, as left by a recorder that was killed."""
    at = start
    while (element := _element(file, at)) is not None:
        identity, inside, length = element
        if length is None:
            # A cluster of unknown length: its blocks follow, and the next cluster after them.
            at = inside
            continue
        if inside + length > size:
            what = "the cluster" if identity == _CLUSTER else "the block"
            return cut(what, inside + length, size)
        at = inside + length
    return WHOLE


def _ending_of_gif(file: BinaryIO) -> Ending:
    """Walk a GIF's blocks to its trailer."""
    cut = Ending(missing="the trailer of the GIF is missing", partial=True)
    screen = read_at(file, 0, 13)
    if len(screen) < 13:
        return cut
    at = 13 + _colours(screen[10])
    while True:
        block = read_at(file, at, 10)
        if block[:1] == b";":
            return WHOLE
        if block[:1] == b"!":
            at += 2
        elif block[:1] == b"," and len(block) == 10:
            at += 11 + _colours(block[9])
        else:
            return cut
        while length := int.from_bytes(read_at(file, at, 1), "big"):
            at += 1 + length
        at += 1


def _colours(flags: int) -> int:
    """Bytes of the table of colours that a GIF's flags announce."""
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0


def _element(file: BinaryIO, at: int) -> tuple[int, int, int | None] | None:
    """Identity, start and length (None for unknown) of an EBML element; None at the file's end."""
    head = read_at(file, at, 12)
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
