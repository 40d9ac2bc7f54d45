"""What images of one size may be looked at in."""

from __future__ import annotations

import pytest

from edgecl.learning.config import TrainConfig
from edgecl.learning.run.geometries import COARSE, FINE, possible_geometries, whole_image_size
from runtime.artifact.tiling import STRETCH, TILES


@pytest.mark.parametrize(
    ("shape", "pixels", "size"),
    [
        ((224, 224), COARSE, (128, 128)),
        ((128, 400), FINE, (128, 384)),
        ((1000, 2048), FINE, (160, 320)),
        ((64, 64), FINE, (64, 64)),
        ((64, 16384), FINE, (32, 3552)),
    ],
)
def test_whole_images_keep_their_proportions_and_are_never_enlarged(shape, pixels, size):
    found = whole_image_size(shape, pixels)
    assert found == size
    assert all(side % 16 == 0 for side in found)


def test_images_have_tiles_at_their_own_scale_or_are_seen_whole():
    tiles, whole = possible_geometries((200, 200))
    assert (tiles.kind, tiles.size, tiles.name) == (TILES, (96, 96), "tiles of 96x96")
    assert (whole.kind, whole.size, whole.compared_at) == (STRETCH, (192, 192), (128, 128))
    config = tiles.chosen(TrainConfig(geometry="auto", scale=0.5, lr=0.1))
    assert (config.geometry, config.image_size, config.scale) == (TILES, (96, 96), 1.0)
    assert config.lr == 0.1
    assert whole.chosen(config, to_compare=True).image_size == (128, 128)


@pytest.mark.parametrize("shape", [(95, 400), (400, 95), (32, 32)])
def test_images_smaller_than_a_tile_are_seen_whole(shape):
    (whole,) = possible_geometries(shape)
    assert whole.kind == STRETCH
