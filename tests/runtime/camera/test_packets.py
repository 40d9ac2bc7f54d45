"""Containers that are rows of packets: cut anywhere they are told, and whole they are not."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from runtime.camera.container.ending import WHOLE, Ending
from runtime.camera.container.walk import ending_of
from tests.runtime.camera.containers import avi, jpegs

BODY = bytes(range(256)) * 3


def flv() -> bytes:
    tag = b"\x09" + len(BODY).to_bytes(3, "big") + bytes(7) + BODY
    return b"FLV\1\1" + (9).to_bytes(4, "big") + bytes(4) + (tag + bytes(4)) * 3


def ivf() -> bytes:
    head = b"DKIF" + struct.pack("<HH4sHHIII", 0, 32, b"VP80", 64, 48, 25, 1, 3) + bytes(4)
    return head + (struct.pack("<IQ", len(BODY), 0) + BODY) * 3


def y4m(space: str = "420jpeg", samples: int = 32 * 24 * 3 // 2) -> bytes:
    return f"YUV4MPEG2 W32 H24 F25:1 C{space}\n".encode() + (b"FRAME\n" + bytes(samples)) * 3


def asf(announced: int | None = None) -> bytes:
    size = 30 + 104 + len(BODY)
    properties = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365") + struct.pack("<Q", 104)
    properties += bytes(16) + struct.pack("<Q", size if announced is None else announced)
    head = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + struct.pack("<QIBB", 134, 1, 1, 2)
    return head + properties.ljust(104, b"\0") + BODY


def program_stream() -> bytes:
    pack = b"\0\0\1\xba" + b"\x44" + bytes(8) + b"\xf8"
    packet = b"\0\0\1\xe0" + len(BODY).to_bytes(2, "big") + BODY
    return (pack + packet) * 3


def mxf() -> bytes:
    return (
        bytes.fromhex("060e2b34") + bytes(12) + b"\x83" + len(BODY).to_bytes(3, "big") + BODY
    ) * 3


def m2ts() -> bytes:
    return (bytes(4) + b"G" + bytes(187)) * 9


WHOLE_FILES = {
    "flv": flv(),
    "ivf": ivf(),
    "y4m": y4m(),
    "y4m of 16 bits": y4m("mono16", 32 * 24 * 2),
    "y4m of 444": y4m("444", 32 * 24 * 3),
    "asf": asf(),
    "mpg": program_stream(),
    "mxf": mxf(),
    "m2ts": m2ts(),
}


def look(folder: Path, data: bytes) -> Ending:
    (folder / "file").write_bytes(data)
    return ending_of(folder / "file")


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_whole_and_cut(name, tmp_path):
    data = WHOLE_FILES[name]
    assert look(tmp_path, data) == WHOLE
    for less in (1, 100, len(data) // 3 + 7):
        ending = look(tmp_path, data[:-less])
        assert "ends at byte" in ending.missing
        assert ending.partial


def test_a_broadcast_does_not_say_how_long_it_is(tmp_path):
    assert look(tmp_path, asf(announced=0)) == Ending(known=False)


@pytest.mark.parametrize("data", [b"", bytes(600), b"FLV", b"YUV4MPEG2 W0 C999\n", b"DKIF"])
def test_other_files_are_not_known_or_just_end(data, tmp_path):
    assert not look(tmp_path, data).missing


PACKETS = jpegs(6)


def test_lengths_that_a_killed_recorder_never_set_right(tmp_path):
    """GStreamer leaves an empty list's length, others the largest that they know."""
    whole = avi(PACKETS, index=False)
    movi = whole.index(b"LIST", whole.index(b"movi") - 8)
    for length in (4, 0, 0x7FFFFFF0, 0xFFFFFFFF):
        for riff in (0, movi, 0xFFFFFFFF):
            data = bytearray(whole)
            struct.pack_into("<I", data, 4, riff)
            struct.pack_into("<I", data, movi + 4, length)
            assert look(tmp_path, bytes(data)) == WHOLE
            assert look(tmp_path, bytes(data) + b"\xff" * 5000) == WHOLE
            assert look(tmp_path, bytes(data[:-300])).missing
