"""Maps of tiles laid together to one over the frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime.artifact.contract import InputContract
from runtime.artifact.heat_maps import METADATA_KEY, Cells
from runtime.artifact.tiling import Tiling
from runtime.errors import InputError
from runtime.image.cutting import Cutter
from runtime.image.heat_map import (
    LONGEST,
    MOST_PIXELS,
    Window,
    evidence,
    laid_together,
    overlay,
    peak,
    shown_size,
    windows,
)

CELLS = Cells(stride=8, first=3.5)
"""Of a mean over blocks of 8×8 pixels."""


def blocks(tiles: np.ndarray) -> np.ndarray:
    """Mean brightness of blocks of 8×8, as a network whose cells look at no more."""
    count, height, width = tiles.shape
    return np.asarray(
        tiles.reshape(count, height // 8, 8, width // 8, 8).mean(axis=(2, 4)), np.float32
    )


@pytest.mark.parametrize("size", [(96, 160), (100, 217), (32, 48), (20, 200), (20, 30)])
@pytest.mark.parametrize("scale", [1.0, 0.5, 1.7])
def test_windows_are_where_the_cutter_cuts(size, scale):
    tiling = Tiling((32, 48), (20, 24), scale)
    cutter = Cutter(tiling)
    count = len(cutter(np.zeros(size, np.uint8)))
    found = windows(size, InputContract(32, 48, tiling=tiling))
    assert len(found) == count
    for number, window in enumerate(found):
        place = cutter.place(number)
        assert max(0, window.left) == pytest.approx(place.left, abs=1)
        assert max(0, window.top) == pytest.approx(place.top, abs=1)
        right = min(size[1], window.left + window.width)
        assert right == pytest.approx(place.left + place.width, abs=1)
        below = min(size[0], window.top + window.height)
        assert below == pytest.approx(place.top + place.height, abs=1)


def test_a_stretched_frame_is_one_window():
    assert windows((480, 640), InputContract(96, 96)) == [Window(0, 0, 640, 480)]


@pytest.mark.parametrize("spot", [(20, 30), (90, 20), (50, 190), (12, 12), (84, 204)])
@pytest.mark.parametrize("size", [(100, 216), (200, 432)])
def test_the_peak_is_where_the_spot_is_whatever_the_tiles(spot, size):
    scale = 100 / size[0]
    tiling = Tiling((48, 48), (32, 32), scale)
    frame = np.zeros(size, np.uint8)
    at = [round(place / scale) for place in spot]
    radius = round(8 / scale)
    cv2.circle(frame, (at[1], at[0]), radius, 255.0, -1)
    contract = InputContract(48, 48, tiling=tiling)
    heat = laid_together(
        blocks(Cutter(tiling)(frame)[:, 0]), windows(size, contract), CELLS, (48, 48), size
    )
    assert heat.shape == size
    left, top = peak(heat, size)
    assert np.hypot(left - at[1], top - at[0]) <= radius


def test_a_frame_smaller_than_a_tile_shows_only_its_own_part():
    size, tiling = (24, 40), Tiling((48, 80))
    frame = np.zeros(size, np.uint8)
    frame[:8, :8] = 255
    contract = InputContract(48, 80, tiling=tiling)
    maps = blocks(Cutter(tiling)(frame)[:, 0])
    heat = laid_together(maps, windows(size, contract), CELLS, (48, 80), size)
    left, top = peak(heat, size)
    assert (left < 8, top < 8) == (True, True)


def test_cells_of_a_padded_network_look_half_a_cell_further_up():
    maps = np.zeros((1, 6, 6), np.float32)
    maps[0, 2, 3] = 1
    whole = [Window(0, 0, 96, 96)]
    heat = laid_together(maps, whole, Cells(16, 0), (96, 96), (96, 96))
    assert peak(heat, (96, 96)) == (48, 32)
    # A spot that is symmetric about its cell's centre.
    np.testing.assert_allclose(heat[32, 48 - 20 : 48], heat[32, 48 + 20 : 48 : -1], atol=1e-5)
    np.testing.assert_allclose(heat[32 - 20 : 32, 48], heat[32 + 20 : 32 : -1, 48], atol=1e-5)


def test_overlapping_tiles_are_averaged():
    maps = np.stack([np.full((6, 6), level, np.float32) for level in (1, 3)])
    placed = [Window(0, 0, 48, 48), Window(24, 0, 48, 48)]
    heat = laid_together(maps, placed, CELLS, (48, 48), (48, 72))
    np.testing.assert_allclose(heat[:, [8, 36, 64]], [[1, 2, 3]] * 48, rtol=1e-5)
    assert (np.diff(heat[0]) >= 0).all()
    assert np.diff(heat[0]).max() < 0.2  # no edge where a tile ends


def test_evidence_is_held_against_what_lets_a_part_pass():
    activation = np.random.default_rng(0).normal(size=(2, 4, 3, 3)).astype(np.float32)
    against = evidence(activation, 2, (0, 1))
    np.testing.assert_allclose(against, activation[:, 2] - activation[:, :2].mean(axis=1))
    alone = evidence(activation, 2, ())
    np.testing.assert_allclose(alone, activation[:, 2] - activation[:, [0, 1, 3]].mean(axis=1))
    # What all labels have in common changes no probability, and no evidence.
    common = evidence(activation + 7, 2, (0, 1))
    np.testing.assert_allclose(common, against, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(evidence(activation, 0, (0, 1)), evidence(activation, 0, ()))
    np.testing.assert_allclose(evidence(activation[:, :1], 0, ()), activation[:, 0])


@pytest.mark.parametrize("size", [(1, 1), (480, 640), (3000, 4000), (64, 60_000), (8000, 8000)])
def test_a_heat_map_is_never_larger_than_is_shown(size):
    height, width = shown_size(size)
    assert 1 <= height <= size[0]
    assert 1 <= width <= size[1]
    assert height * width <= MOST_PIXELS
    assert max(height, width) <= LONGEST


def test_the_overlay_colours_what_speaks_for_the_label_alone():
    gray = np.full((40, 60), 100, np.uint8)
    heat = np.full((20, 30), -5, np.float32)
    heat[4, 5] = 2
    image = overlay(gray, heat)
    assert image.shape == (20, 30, 3)
    assert image.dtype == np.uint8
    assert image[10, 10].tolist() == [100, 100, 100]
    assert image[4, 5].tolist() != [100, 100, 100]
    assert (overlay(gray, np.full((20, 30), -1, np.float32)) == 100).all()


@pytest.mark.parametrize(
    "entry", ["", "[]", "{}", '{"stride": 0, "first": 1}', '{"stride": 8, "first": NaN}', "null"]
)
def test_cells_that_cannot_be_are_refused(entry):
    with pytest.raises(InputError, match=r"x\.onnx is not a heat-map graph"):
        Cells.from_metadata({METADATA_KEY: entry}, where="x.onnx")
    with pytest.raises(InputError, match="export the model again"):
        Cells.from_metadata({}, where="x.onnx")
    assert Cells.from_metadata(CELLS.to_metadata(), where="x") == CELLS
