"""No image that is not whole is decoded, and none that is whole is refused."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.errors import FrameError
from runtime.image.decode import decode_gray
from tests.runtime.image.formats.files import encoded, jpeg, pgm, steel, tiff, with_segment

STEEL = steel()
COLOUR = np.dstack([STEEL, (STEEL * 0.7).astype(np.uint8), (STEEL * 0.4).astype(np.uint8)])
WHOLE = jpeg(STEEL)
THUMBNAIL = jpeg(steel((24, 40), seed=5))

FORMS = {
    "jpeg": WHOLE,
    "progressive": jpeg(STEEL, progressive=True),
    "restarts": jpeg(STEEL, restart_marker_rows=1),
    "colour": jpeg(COLOUR),
    "full chroma": jpeg(COLOUR, subsampling=0),
    "png": encoded(STEEL, "PNG"),
    "png of colour": encoded(COLOUR, "PNG"),
    "bmp": encoded(STEEL, "BMP"),
    "tiff": tiff(STEEL, 8),
    "tiff, other order": tiff(STEEL.astype(np.uint16) * 257, 16, order=">"),
    "tiff by lzw": encoded(STEEL, "TIFF", compression="tiff_lzw"),
    "webp": encoded(STEEL, "WebP", lossless=True),
    "pgm": pgm(STEEL, 255),
    "deep pgm": pgm(STEEL.astype(np.uint16) * 16, 4095),
    "ppm": encoded(COLOUR, "PPM"),
}


@pytest.mark.parametrize("form", FORMS)
def test_cut_anywhere_it_is_refused_with_the_reason(form):
    data = FORMS[form]
    assert decode_gray(data).shape == STEEL.shape
    end = len(data) - (2 if "tiff" not in form else len(data) // 8)
    for size in np.linspace(12, end, 9).astype(int):
        with pytest.raises(FrameError, match=r"truncated|damaged|not an image"):
            decode_gray(data[:size])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("padding", [bytes(100_000), b"\xff" * 9000, b"CAMERA TRAILER" * 700])
def test_what_follows_the_end_is_no_matter(form, padding):
    expected = decode_gray(FORMS[form])
    np.testing.assert_array_equal(decode_gray(FORMS[form] + padding), expected)


def test_a_thumbnails_end_is_not_the_images():
    data = with_segment(WHOLE, 0xE2, THUMBNAIL)
    np.testing.assert_array_equal(decode_gray(data), decode_gray(WHOLE))
    for share in (0.2, 0.5, 0.95):
        with pytest.raises(FrameError, match="truncated"):
            decode_gray(data[: len(data) - int(share * (len(WHOLE) - 600))])


def test_an_end_marker_that_was_put_behind_a_cut_scan_heals_nothing():
    with pytest.raises(FrameError, match="truncated"):
        decode_gray(WHOLE[: len(WHOLE) // 2] + b"\xff\xd9")


def test_a_cut_jpeg_before_another_whole_one_is_cut():
    """As where a network loses the end of a frame and the next one follows."""
    with pytest.raises(FrameError, match=r"truncated|damaged"):
        decode_gray(WHOLE[: len(WHOLE) // 2] + WHOLE)


@pytest.mark.parametrize("form", ["jpeg", "restarts", "full chroma"])
def test_bytes_lost_or_written_over_within_a_scan_are_told(form):
    data = FORMS[form]
    start = data.index(b"\xff\xda") + 60
    told = 0
    for at in np.linspace(start, len(data) - 200, 20).astype(int):
        for broken in (data[:at] + data[at + 90 :], data[:at] + b"\x55" * 90 + data[at + 90 :]):
            try:
                decode_gray(broken)
            except FrameError:
                told += 1
    assert told >= 36  # of 40: a decoder that stumbles can fall into step again


def test_zeros_before_the_end_marker_are_a_cameras_padding():
    padded = WHOLE[:-2] + bytes(7) + b"\xff\xd9"
    np.testing.assert_array_equal(decode_gray(padded), decode_gray(WHOLE))


def test_a_flipped_bit_in_a_png_is_told():
    data = bytearray(FORMS["png"])
    data[len(data) // 2] ^= 4
    with pytest.raises(FrameError, match="checksum in its chunk IDAT"):
        decode_gray(bytes(data))


def test_a_damaged_strip_of_a_deflated_tiff_is_told():
    """libtiff complains, and OpenCV takes what it gave."""
    data = bytearray(encoded(steel((300, 200)), "TIFF", compression="tiff_adobe_deflate"))
    assert decode_gray(bytes(data)).shape == (300, 200)
    data[400:460] = bytes(60)
    with pytest.raises(FrameError, match="cannot be decompressed"):
        decode_gray(bytes(data))


def test_jpegs_of_rare_colours_are_read():
    from PIL import Image

    cmyk = np.asarray(Image.fromarray(COLOUR).convert("CMYK"))
    stream = Image.fromarray(cmyk, "CMYK")
    import io

    buffer = io.BytesIO()
    stream.save(buffer, "JPEG", quality=92)
    assert decode_gray(buffer.getvalue()).shape == STEEL.shape


def test_the_pixels_are_those_of_opencvs_decoder():
    import cv2

    for form in ("jpeg", "progressive", "restarts", "colour", "full chroma", "tiff", "bmp"):
        data = np.frombuffer(FORMS[form], np.uint8)
        expected = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(decode_gray(FORMS[form]), expected)
