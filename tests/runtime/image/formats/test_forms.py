"""What is not read is refused for what it is, whatever the file is called."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from runtime.errors import FrameError
from runtime.image.decode import decode_gray, read_image
from runtime.image.formats import image_kind, inspect
from tests.runtime.image.formats.files import encoded, jpeg, pgm, steel, tiff

STEEL = steel()


def twelve_bit_jpeg() -> bytes:
    data = bytearray(jpeg(STEEL))
    data[data.index(b"\xff\xc0") + 4] = 12
    return bytes(data)


def giant_tiff() -> bytes:
    data = bytearray(tiff(STEEL, 8))
    for tag, value in ((256, 40_000), (257, 40_000)):
        at = data.index(struct.pack("<HHI", tag, 4, 1))
        data[at + 8 : at + 12] = struct.pack("<I", value)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tiff((STEEL / 255).astype(np.float32), 32, tags={339: 3}), "32-bit floating point"),
        (tiff(STEEL.astype(np.uint32) * 256, 32), "32-bit integers"),
        (tiff(STEEL.astype(np.uint32), 32, tags={339: 2}), "32-bit signed integers"),
        (tiff(STEEL, 8, tags={259: 50000}), "compressed with zstd"),
        (tiff(STEEL, 8, tags={259: 34925}), "compressed with LZMA"),
        (tiff(STEEL, 8, tags={259: 999}), "compressed with method 999"),
        (giant_tiff(), "40000x40000 pixels, more than"),
        (b"P5 100000 100000 255\n" + bytes(100), "100000x100000 pixels, more than"),
        (twelve_bit_jpeg(), "12-bit JPEG"),
        (encoded(STEEL, "GIF"), "GIF is not supported"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "JPEG 2000 is not supported"),
        (b"\0\0\0\x20ftypavif" + bytes(40), "AVIF is not supported"),
        (b"Pf\n4 4\n-1.0\n" + bytes(64), "PFM of floating point"),
        (b"", "the file is empty"),
        (b"notes on crack 17", "not an image"),
        (b"BM, he said, and went", "not an image"),
        (b"\x89PNG\r\n\x1a\n", "the PNG is truncated"),
        (b"\xff\xd8\xff\xd9", "truncated|before its first scan"),
        (pgm(STEEL, 255).replace(b"255", b"abc"), "damaged: b'abc' in its header"),
        (b"P5 0 4 255\n", "has no pixels"),
    ],
)
def test_refused_for_what_it_is(data, words):
    with pytest.raises(FrameError, match=words):
        decode_gray(data)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "giant.tif"
    with open(path, "wb") as file:
        file.truncate(3 << 30)  # a hole: it takes no room
    with pytest.raises(FrameError, match=r"the file has 3\.0 GiB"):
        read_image(path)


def test_negative_samples_are_no_gray_levels():
    signed = tiff((STEEL.astype(np.int32) - 128).astype(np.uint16), 16, tags={339: 2})
    with pytest.raises(FrameError, match="negative values"):
        decode_gray(signed)
    whole = tiff(STEEL.astype(np.uint16) << 7, 16, tags={339: 2})
    np.testing.assert_array_equal(decode_gray(whole, bits=15), STEEL)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WebP", "JPEG", "PPM"])
def test_the_content_tells_the_kind(kind):
    data = encoded(STEEL, kind, **({"lossless": True} if kind == "WebP" else {}))
    expected = {"PPM": "PNM"}.get(kind, kind)
    assert image_kind(data[:32]) == expected
    assert inspect(data).kind == expected


def test_random_bytes_behind_a_right_beginning_are_never_a_crash():
    rng = np.random.default_rng(3)
    heads = [b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0+", b"RIFF\xff\0\0\0WEBP", b"P5 "]
    heads += [b"BM" + bytes(12) + struct.pack("<I", 40)]
    for head in heads:
        for size in (0, 7, 60, 900):
            with pytest.raises(FrameError):
                decode_gray(head + rng.integers(0, 256, size, np.uint8).tobytes())


def test_damaged_headers_are_never_a_crash():
    rng = np.random.default_rng(4)
    for data in (jpeg(STEEL), encoded(STEEL, "PNG"), tiff(STEEL, 8), encoded(STEEL, "BMP")):
        for _ in range(120):
            broken = bytearray(data)
            spots = np.concatenate((np.arange(40), len(data) - 1 - np.arange(140)))
            broken[int(rng.choice(spots))] = int(rng.integers(256))
            try:
                decode_gray(bytes(broken))
            except FrameError:
                continue
