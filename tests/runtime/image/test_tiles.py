"""Tiles cover an image at its own scale, and their answers become the image's."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.artifact.tiling import Tiling
from runtime.errors import InputError
from runtime.image.tiles import (
    combine,
    combine_images,
    cut,
    padded,
    places,
    scaled_size,
    starts,
    to_scale,
    worst_tile,
)


@pytest.mark.parametrize(
    ("length", "tile", "stride", "expected"),
    [
        (200, 96, 96, [0, 52, 104]),
        (96, 96, 96, [0]),
        (97, 96, 96, [0, 1]),
        (192, 96, 96, [0, 96]),
        (200, 96, 20, [0, 17, 35, 52, 69, 87, 104]),
        (16384, 96, 96, None),
    ],
)
def test_tiles_reach_from_edge_to_edge(length, tile, stride, expected):
    found = starts(length, tile, stride)
    if expected is not None:
        assert found.tolist() == expected
    assert found[0] == 0
    assert found[-1] == length - tile
    assert (np.diff(found) <= stride).all()
    assert (np.diff(found) > 0).all()


def test_every_pixel_is_in_a_tile_and_tiles_are_the_image_as_it_is():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (150, 333), np.uint8)
    tiling = Tiling((64, 96), (50, 70))
    tiles, seen = cut(image, tiling), np.zeros(image.shape, bool)
    assert len(tiles) == len(places(image.shape, tiling))
    for tile, (top, left) in zip(tiles, places(image.shape, tiling), strict=True):
        assert (tile == image[top : top + 64, left : left + 96]).all()
        seen[top : top + 64, left : left + 96] = True
    assert seen.all()


@pytest.mark.parametrize("size", [(40, 200), (200, 40), (1, 1), (95, 96)])
def test_an_image_smaller_than_a_tile_is_continued_by_reflection(size):
    image = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    whole = padded(image, (96, 96))
    assert whole.shape == (max(96, size[0]), max(96, size[1]))
    top, left = ((max(96, side) - side) // 2 for side in size)
    assert (whole[top : top + size[0], left : left + size[1]] == image).all()
    assert cut(image, Tiling((96, 96))).shape[1:] == (96, 96)
    assert set(np.unique(whole)) <= set(np.unique(image))


def test_a_scale_is_the_same_factor_everywhere():
    image = np.kron(np.eye(10, dtype=np.uint8) * 200, np.ones((20, 20), np.uint8))
    half = to_scale(image, 0.5)
    assert half.shape == scaled_size(image.shape, 0.5) == (100, 100)
    assert (half == image[::2, ::2]).all(), "squares of one value keep it"
    assert to_scale(image, 1.0) is image
    assert scaled_size((3, 5), 0.01) == (1, 1)


def test_mean_and_worst():
    answers = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.6, 0.0, 0.4]], np.float32)
    np.testing.assert_allclose(combine(answers, "mean", ()), answers.mean(axis=0), rtol=1e-6)
    assert worst_tile(answers, [0]) == 1, "least sure that the part passes"
    assert worst_tile(answers, ()) == 0, "surest of a class"
    assert combine(answers, "worst", [0]).tolist() == answers[1].tolist()
    assert combine(answers[:1], "mean", ()).tolist() == answers[0].tolist()


def test_images_with_different_numbers_of_tiles():
    answers = np.random.default_rng(2).random((6, 4), np.float32)
    both = combine_images(answers, np.array([1, 3, 2]), "mean", ())
    np.testing.assert_array_equal(both[0], answers[0])
    np.testing.assert_allclose(both[1], answers[1:4].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(both[2], answers[4:].mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"tile": (0, 96)}, "a tile of 0x96 pixels is empty"),
        ({"tile": (96, 96), "stride": (97, 10)}, "would be seen by none"),
        ({"tile": (96, 96), "stride": (0, 10)}, "does not suit tiles"),
        ({"tile": (96, 96), "scale": 0.0}, "a scale of 0 is not above 0"),
        ({"tile": (96, 96), "scale": float("nan")}, "a scale of nan"),
        ({"tile": (96, 96), "combine": "best"}, "'best' is not one of mean, worst"),
    ],
)
def test_a_tiling_that_makes_no_sense_is_refused(choices, message):
    with pytest.raises(InputError, match=message):
        Tiling(**choices)
