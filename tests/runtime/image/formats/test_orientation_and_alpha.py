"""One image has the same pixels in every container and with either of OpenCV's major versions."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from runtime.image.decode import decode_gray
from runtime.image.formats.exif import exif_orientation, upright
from tests.runtime.image.formats.files import exif, jpeg, steel, tiff, with_segment

STEEL = steel()
TO_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.T,
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).T,
    8: np.rot90,
}


def png(image: Image.Image, orientation: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", exif=exif(orientation))
    return stream.getvalue()


def webp(image: Image.Image, orientation: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "WebP", lossless=True, exact=True, exif=exif(orientation))
    return stream.getvalue()


@pytest.mark.parametrize("orientation", TO_UPRIGHT)
def test_exif_is_obeyed_alike_everywhere(orientation):
    expected = TO_UPRIGHT[orientation](STEEL)
    np.testing.assert_array_equal(upright(STEEL, orientation), expected)
    image = Image.fromarray(STEEL)
    np.testing.assert_array_equal(decode_gray(png(image, orientation)), expected)
    np.testing.assert_array_equal(decode_gray(webp(image, orientation)), expected)
    plain = jpeg(STEEL)
    tagged = with_segment(plain, 0xE1, b"Exif\0\0" + exif(orientation))
    np.testing.assert_array_equal(decode_gray(tagged), TO_UPRIGHT[orientation](decode_gray(plain)))


@pytest.mark.parametrize("block", [b"", b"II", b"XX*\0", exif(6)[:-9], exif(0), exif(9)])
def test_a_damaged_or_odd_block_turns_nothing(block):
    assert exif_orientation(block) == 1


def test_alpha_is_left_out_alike_in_every_container():
    rng = np.random.default_rng(0)
    colour = np.dstack([STEEL, STEEL // 2, 255 - STEEL])
    alpha = rng.integers(0, 256, STEEL.shape).astype(np.uint8)
    alpha[:, :20] = 0
    image = Image.fromarray(np.dstack([colour, alpha]), "RGBA")
    expected = decode_gray(png(Image.fromarray(colour), 1))
    unassociated = tiff(np.dstack([colour, alpha]), 8, tags={338: 2})
    for data in (png(image, 1), webp(image, 1), unassociated):
        np.testing.assert_array_equal(decode_gray(data), expected)
    other_order = tiff(np.dstack([colour, alpha]), 8, tags={338: 2}, order=">")
    np.testing.assert_array_equal(decode_gray(other_order), expected)


def test_colour_becomes_gray_by_one_rule():
    import cv2

    colour = np.random.default_rng(1).integers(0, 256, (31, 57, 3)).astype(np.uint8)
    expected = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    image = Image.fromarray(colour)
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        stream = io.BytesIO()
        image.save(stream, kind)
        np.testing.assert_array_equal(decode_gray(stream.getvalue()), expected)
    np.testing.assert_array_equal(decode_gray(webp(image, 1)), expected)
