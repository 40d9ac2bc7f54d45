"""Views of frames: what the model sees of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime.artifact.contract import InputContract
from runtime.artifact.roi import Roi
from runtime.artifact.tiling import Tiling
from runtime.errors import FrameError
from runtime.image.preprocess import Preprocessor
from runtime.image.view import FrameView, cropped

ROI = Roi(left=7, top=11, width=40, height=24)
STRETCHED = InputContract(16, 20, "auto")
TILED = InputContract(16, 16, tiling=Tiling((16, 16)))


def frame(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (50, 70, 3)).astype(np.uint8)


def forms() -> list[np.ndarray]:
    colour = frame()
    gray = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
    return [colour, gray, gray[:, :, None], gray.astype(np.uint16) << 8]


@pytest.mark.parametrize("contract", [STRETCHED, TILED])
def test_a_region_is_the_frame_that_was_cut_before(contract):
    with_roi = Preprocessor(contract, view=FrameView(ROI))
    for form in forms():
        before = np.ascontiguousarray(form[11:35, 7:47])
        expected = Preprocessor(contract).prepare(before)
        np.testing.assert_array_equal(with_roi.prepare(form), expected)
        assert with_roi.seen == (24, 40)


def test_the_contracts_region_counts_unless_another_view_is_given():
    contract = InputContract(24, 40, roi=ROI)
    gray = frame()[:, :, 0]
    np.testing.assert_array_equal(Preprocessor(contract).prepare(gray)[0, 0], gray[11:35, 7:47])
    whole = Preprocessor(contract, view=FrameView())
    np.testing.assert_array_equal(
        whole.prepare(gray), Preprocessor(InputContract(24, 40)).prepare(gray)
    )


def test_places_are_told_in_pixels_of_the_whole_frame():
    preprocess = Preprocessor(InputContract(16, 16, tiling=Tiling((16, 16))), view=FrameView(ROI))
    gray = frame()[:, :, 0]
    tiles = preprocess.prepare(gray)
    assert len(tiles) == 6
    for number, tile in enumerate(tiles):
        place = preprocess.place(number)
        assert place is not None
        shown = gray[place.top : place.top + place.height, place.left : place.left + place.width]
        np.testing.assert_array_equal(tile[0], shown)


@pytest.mark.parametrize("size", [(34, 70), (50, 46), (1, 1)])
def test_a_frame_that_is_too_small_is_a_fault(size):
    small = np.zeros(size, np.uint8)
    said = rf"{size[1]} wide and {size[0]} high, too small for the ROI 7,11,40,24"
    for contract in (STRETCHED, TILED):
        with pytest.raises(FrameError, match=said):
            Preprocessor(contract, view=FrameView(ROI)).prepare(small)


def test_a_cut_frame_is_not_copied():
    gray = frame()[:, :, 0]
    assert np.shares_memory(cropped(gray, ROI), gray)
    assert cropped(gray, None) is gray
