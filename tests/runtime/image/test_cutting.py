"""Frames into tiles: the same tiles as in training, in buffers that stay, and where they lie."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime.artifact.contract import InputContract
from runtime.artifact.tiling import Tiling
from runtime.errors import FrameError
from runtime.image.cutting import Cutter, Place, tiles_of
from runtime.image.preprocess import Preprocessor
from runtime.image.tiles import cut, to_scale

TILING = Tiling((32, 48), (20, 48))


def contract(tiling: Tiling = TILING, bits: int | None = None) -> InputContract:
    return InputContract(*tiling.tile, bits=bits, tiling=tiling)


def frame(height: int, width: int, *rest: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, *rest)).astype(np.uint8)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.37, 2.0])
@pytest.mark.parametrize("size", [(100, 200), (32, 48), (33, 48), (10, 300), (300, 10), (5, 7)])
def test_the_same_tiles_as_of_an_image_in_training(size, scale):
    tiling = Tiling((32, 48), (20, 48), scale)
    image = frame(*size)
    expected = cut(to_scale(image, scale), tiling)
    tiles = Preprocessor(contract(tiling)).prepare(image)
    assert tiles.shape == (len(expected), 1, 32, 48) == (tiles_of(size, tiling), 1, 32, 48)
    np.testing.assert_array_equal(tiles[:, 0], expected)


def test_a_stretched_frame_is_a_batch_of_one():
    stretched = InputContract(32, 48)
    preprocess, image = Preprocessor(stretched), frame(100, 200)
    batch = preprocess.prepare(image)
    assert batch.shape == (1, 1, 32, 48)
    np.testing.assert_array_equal(batch[0, 0], cv2.resize(image, (48, 32)))
    assert preprocess.prepare(frame(64, 9)) is batch
    assert preprocess.place(0) is None
    assert not preprocess.pads


def test_the_buffers_stay_while_the_frames_keep_their_size():
    preprocess = Preprocessor(contract(Tiling((32, 48), scale=0.5)))
    first = preprocess.prepare(frame(100, 200))
    kept = first.copy()
    assert preprocess.prepare(frame(100, 200)) is first
    other = preprocess.prepare(frame(120, 200))
    assert other is not first
    np.testing.assert_array_equal(preprocess.prepare(frame(100, 200)), kept)


def test_colour_depth_and_memory_order_make_no_difference():
    preprocess = Preprocessor(contract(bits=12))
    colour = frame(70, 90, 3)
    gray = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
    expected = preprocess.prepare(gray).copy()
    deep = gray.astype(np.uint16)
    for form in (
        colour,
        cv2.cvtColor(colour, cv2.COLOR_BGR2BGRA),
        gray[:, :, None],
        np.asfortranarray(gray),
        deep << 4,
    ):
        np.testing.assert_array_equal(preprocess.prepare(form), expected)
    np.testing.assert_array_equal(preprocess.prepare(deep << 2, bits=10), expected)
    with pytest.raises(FrameError, match="12 bits end at 4095"):
        preprocess.prepare(deep << 8)


def test_a_line_scan_frame_of_16384_pixels():
    tiling = Tiling((96, 96), (96, 90))
    image = frame(96, 16384)
    preprocess = Preprocessor(contract(tiling))
    tiles = preprocess.prepare(image)
    assert len(tiles) == 182
    assert preprocess.place(0) == Place(0, 0, 96, 96)
    assert preprocess.place(181) == Place(16288, 0, 96, 96)
    for number in range(182):
        place = preprocess.place(number)
        assert place is not None
        part = image[:, place.left : place.left + 96]
        np.testing.assert_array_equal(tiles[number, 0], part)


def test_places_cover_the_frame_in_its_own_pixels():
    preprocess = Preprocessor(contract(Tiling((32, 48), scale=0.5)))
    tiles = preprocess.prepare(frame(101, 203))
    seen = np.zeros((101, 203), bool)
    for number in range(len(tiles)):
        place = preprocess.place(number)
        assert place is not None
        assert min(place.left, place.top) >= 0
        seen[place.top : place.top + place.height, place.left : place.left + place.width] = True
    assert seen.all()
    place = preprocess.place(0)
    assert place is not None
    assert (place.width, place.height) == (96, 65)  # of 48x32 pixels: 203x101 became 102x50


def test_a_frame_smaller_than_a_tile_is_one_tile_that_shows_all_of_it():
    preprocess = Preprocessor(contract())
    tiles = preprocess.prepare(frame(20, 30))
    assert len(tiles) == 1
    assert preprocess.pads
    assert preprocess.place(0) == Place(0, 0, 30, 20)
    preprocess.prepare(frame(32, 48))
    assert not preprocess.pads


def test_a_frame_whose_tiles_no_memory_holds_is_a_fault():
    cutter = Cutter(Tiling((96, 96), (1, 1)))
    with pytest.raises(FrameError, match=r"a frame of 2000x2000 gives .* tiles of 96x96"):
        cutter(np.zeros((2000, 2000), np.uint8))
    assert len(cutter(np.zeros((96, 97), np.uint8))) == 2


def test_tiles_are_not_written_into_a_buffer_for_one_image():
    with pytest.raises(ValueError, match="prepare"):
        Preprocessor(contract())(frame(64, 64), np.empty((32, 48), np.uint8))
