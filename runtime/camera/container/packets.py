"""Containers that are a row of packets, each with its length before it.

FLV, IVF, YUV4MPEG2, ASF (WMV), MPEG program streams (MPG, VOB) and MXF. A packet that was begun and
ends behind the end of the file was cut.

Sources: Adobe Flash Video 10.1; IVF as libvpx writes it; YUV4MPEG2 as mjpegtools has it; Advanced
Systems Format 1.20; ISO/IEC 13818-1; SMPTE 377-1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import BinaryIO

from runtime.camera.container.ending import WHOLE, Ending, cut, read_at

LengthOf = Callable[[BinaryIO, int], int]
"""Bytes of the packet at a place, its head included; 0 where there is none."""

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_MXF = bytes.fromhex("060e2b34")
_PACK, _END = b"\0\0\x01\xba", b"\0\0\x01\xb9"
_ASF_HEADER = 1 << 16
_IVF_HEADER = 32
_UNKNOWN = Ending(known=False)
# Samples per pixel of YUV4MPEG2's colour spaces, in halves; of 8 bits unless it says p10 or more.
_Y4M_HALVES = {"420": 3, "411": 3, "422": 4, "440": 4, "444": 6, "mono": 2}


def ending_of_packets(file: BinaryIO, size: int, head: bytes) -> Ending:
    """Return the ending of a file that is a row of packets.

    Args:
        head: its first bytes, 64 or more.

    Returns:
        An ending that is not known for any other kind of file.
    """
    if head[:3] == b"FLV":
        return _walk(file, size, int.from_bytes(head[5:9], "big") + 4, _flv)
    if head[:4] == b"DKIF":
        return _walk(file, size, max(_IVF_HEADER, int.from_bytes(head[6:8], "little")), _ivf)
    if head[:10] == b"YUV4MPEG2 ":
        return _ending_of_y4m(file, size)
    if head[:16] == _ASF:
        return _ending_of_asf(file, size)
    if head[:4] == _PACK:
        return _walk(file, size, 0, _program_stream)
    if head[:4] == _MXF:
        return _walk(file, size, 0, _mxf)
    return _UNKNOWN


def _walk(file: BinaryIO, size: int, start: int, length_of: LengthOf) -> Ending:
    """Step from packet to packet; what is no packet ends the row, and is trailing data."""
    at = start
    while at < size:
        length = length_of(file, at)
        if not length:
            return WHOLE
        if at + length > size:
            return cut("the last packet", at + length, size, partial=True)
        at += length
    return WHOLE


def _flv(file: BinaryIO, at: int) -> int:
    head = read_at(file, at, 11)
    if head and head[0] & 0x1F not in (8, 9, 18):
        return 0
    return 11 + int.from_bytes(head[1:4], "big") + 4


def _ivf(file: BinaryIO, at: int) -> int:
    return 12 + int.from_bytes(read_at(file, at, 4), "little")


def _program_stream(file: BinaryIO, at: int) -> int:
    head = read_at(file, at, 14)
    if head[:3] != b"\0\0\x01" or head[:4] == _END:
        return 0
    if head[:4] == _PACK:
        # MPEG-2 stuffs a pack's head; MPEG-1's has 12 bytes.
        return 14 + (head[13] & 7) if len(head) == 14 and head[4] >> 6 == 1 else 12
    return 6 + int.from_bytes(head[4:6], "big")


def _mxf(file: BinaryIO, at: int) -> int:
    head = read_at(file, at, 25)
    if head[:4] != _MXF or len(head) < 17:
        return 0
    if head[16] < 0x80:
        return 17 + head[16]
    digits = head[16] & 0x7F
    return 17 + digits + int.from_bytes(head[17 : 17 + digits], "big")


def _ending_of_y4m(file: BinaryIO, size: int) -> Ending:
    line = read_at(file, 0, 256).partition(b"\n")[0].decode("latin-1")
    fields = {word[0]: word[1:] for word in line.split(" ")[1:] if word}
    space = re.match(r"(mono|4\d\d)(?:[a-z]*p?(\d\d))?", fields.get("C", "420"))
    if space is None or not fields.get("W", "").isdigit() or not fields.get("H", "").isdigit():
        return _UNKNOWN
    width, height = int(fields["W"]), int(fields["H"])
    halves = _Y4M_HALVES.get(space[1], 0)
    planes = width * height
    if halves == 3:
        planes += 2 * ((width + 1) // 2) * ((height + 1) // 2)
    elif halves > 2:
        planes += width * height * (halves - 2) // 2
    if not halves or space[1] == "411":
        return _UNKNOWN
    frame = planes * (2 if space[2] else 1)

    def length(file: BinaryIO, at: int) -> int:
        head, newline, _ = read_at(file, at, 256).partition(b"\n")
        if head[:5] != b"FRAME"[: len(head)]:
            return 0
        return len(head) + len(newline) + frame

    return _walk(file, size, len(line) + 1, length)


def _ending_of_asf(file: BinaryIO, size: int) -> Ending:
    """Return the ending of an ASF file, whose header states its length; a broadcast states 0."""
    header = read_at(file, 0, _ASF_HEADER)
    at = header.find(_ASF_FILE)
    if at < 0 or at + 48 > len(header):
        return _UNKNOWN
    announced = int.from_bytes(header[at + 40 : at + 48], "little")
    if announced > size:
        return cut("its data", announced, size, partial=True)
    return WHOLE if announced else _UNKNOWN
