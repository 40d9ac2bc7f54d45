"""Video files written by hand: any sequence of packets, whole or as a killed recorder leaves it."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import cv2
import numpy as np

SHAPE = (48, 64)


def grain(number: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """An image of its own for each number: uint8."""
    noise = np.random.default_rng(number).integers(0, 256, shape, np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (5, 5), 0), np.uint8)


def jpegs(count: int) -> list[bytes]:
    """So many frames, encoded."""
    return [cv2.imencode(".jpg", grain(number))[1].tobytes() for number in range(count)]


def avi(
    packets: Sequence[bytes],
    *,
    announced: int | None = None,
    index: bool = True,
    finished: bool = True,
) -> bytes:
    """A Motion JPEG AVI.

    Args:
        announced: frames that the header counts, right or not.
        finished: False leaves the lengths of the file and of its list of frames at 0.
    """
    height, width = SHAPE
    count = len(packets) if announced is None else announced
    main = struct.pack("<14I", 40_000, 0, 0, 0x10, count, 0, 1, 1 << 20, width, height, 0, 0, 0, 0)
    stream = b"vidsMJPG" + struct.pack(
        "<IHHIIIIIIIIhhhh", 0, 0, 0, 0, 1, 25, 0, count, 1 << 20, 0xFFFFFFFF, 0, 0, 0, width, height
    )
    form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", 0, 0, 0, 0, 0)
    movi, entries = b"", b""
    for packet in packets:
        entries += b"00dc" + struct.pack("<III", 0x10, 4 + len(movi), len(packet))
        movi += _chunk(b"00dc", packet)
    header = _list(
        b"hdrl",
        _chunk(b"avih", main) + _list(b"strl", _chunk(b"strh", stream) + _chunk(b"strf", form)),
    )
    frames = _list(b"movi", movi)
    if not finished:
        frames = frames[:4] + bytes(4) + frames[8:]
    body = header + frames + (_chunk(b"idx1", entries) if index else b"")
    return b"RIFF" + struct.pack("<I", 4 + len(body) if finished else 0) + b"AVI " + body


def matroska(packets: Sequence[bytes], *, finished: bool = True) -> bytes:
    """A Motion JPEG Matroska file with a cluster per frame.

    Args:
        finished: False leaves the segment's length unknown, as a recorder that was killed does.
    """
    height, width = SHAPE
    head = _element("1A45DFA3", _element("4282", b"matroska") + _element("4287", b"\x02"))
    video = _element("B0", _number(width)) + _element("BA", _number(height))
    track = (
        _element("D7", b"\x01") + _element("73C5", b"\x01") + _element("83", b"\x01")
        + _element("86", b"V_MJPEG") + _element("E0", video)
    )  # fmt: skip
    body = _element("1549A966", _element("2AD7B1", _number(1_000_000)))
    body += _element("1654AE6B", _element("AE", track))
    for number, packet in enumerate(packets):
        block = b"\x81" + struct.pack(">h", 0) + b"\x80" + packet
        body += _element("1F43B675", _element("E7", _number(40 * number)) + _element("A3", block))
    if finished:
        return head + _element("18538067", body)
    return head + bytes.fromhex("18538067") + b"\x01" + b"\xff" * 7 + body


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _list(name: bytes, data: bytes) -> bytes:
    return _chunk(b"LIST", name + data)


def _element(identity: str, data: bytes) -> bytes:
    return bytes.fromhex(identity) + struct.pack(">Q", len(data) | 1 << 56) + data


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")
