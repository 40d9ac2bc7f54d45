"""Views of tiles: crops at the image's own scale, the same from the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgecl.data.pixels.tiled import TiledImages
from edgecl.learning.config import TrainConfig
from edgecl.learning.contrastive.augmentation import (
    ROBUST,
    TILES,
    augment,
    chosen_augmentation,
    two_views,
)
from edgecl.learning.contrastive.tile_views import TileRecipe, TileViews, view_tiles
from runtime.artifact.tiling import Tiling

CPU = torch.device("cpu")


def images_of(*sizes: tuple[int, int], tile: tuple[int, int] = (24, 24)) -> TiledImages:
    rng = np.random.default_rng(5)
    return TiledImages([rng.integers(0, 256, size, np.uint8) for size in sizes], Tiling(tile))


def windows(image: np.ndarray, tile: tuple[int, int]) -> set[bytes]:
    """All crops of an image in all eight orientations."""
    found = set()
    for top in range(image.shape[0] - tile[0] + 1):
        for left in range(image.shape[1] - tile[1] + 1):
            crop = image[top : top + tile[0], left : left + tile[1]]
            for side in (crop, crop[:, ::-1]):
                found |= {np.rot90(side, turns).tobytes() for turns in range(4)}
    return found


def test_a_plain_view_is_a_crop_of_the_image_pixel_by_pixel():
    images = images_of((30, 28), (24, 24), (26, 40))
    views = augment(images, TileRecipe(), np.random.default_rng(0), CPU).numpy()
    assert views.shape == (3, 1, 24, 24)
    for image, view in zip(images, views, strict=True):
        assert view[0].tobytes() in windows(image, (24, 24))


def test_every_place_and_orientation_comes_up():
    image = np.arange(26 * 26, dtype=np.uint16).reshape(26, 26).astype(np.uint8)
    images = TiledImages([image] * 600, Tiling((24, 24)))
    views = augment(images, TileRecipe(turns=True), np.random.default_rng(0), CPU).numpy()
    assert {view[0].tobytes() for view in views} == windows(image, (24, 24))


def test_a_tile_that_is_not_square_is_never_laid_on_its_side():
    images = images_of(*[(20, 60)] * 40, tile=(16, 48))
    views = augment(images, TileRecipe(), np.random.default_rng(0), CPU)
    assert views.shape == (40, 1, 16, 48)


def test_an_image_smaller_than_a_tile_has_views_too():
    assert augment(images_of((10, 50)), TileRecipe(), np.random.default_rng(0), CPU).shape == (
        1,
        1,
        24,
        24,
    )


@pytest.mark.parametrize("recipe", [TILES.contrastive, ROBUST.classification])
def test_the_same_numbers_give_the_same_views(recipe):
    images = images_of(*[(40, 50)] * 8)
    first, second = (augment(images, recipe, np.random.default_rng(s), CPU) for s in (1, 1))
    assert torch.equal(first, second)
    one, other = two_views(images, recipe, np.random.default_rng(1), CPU)
    assert not torch.equal(one, other)
    assert torch.equal(one, first)


def test_a_share_of_the_views_is_what_a_lone_process_draws():
    images = images_of(*[(40, 50)] * 6)
    views = ROBUST.contrastive.sample(6, (24, 24), np.random.default_rng(2))
    assert isinstance(views, TileViews)
    whole = view_tiles(images, views)
    part = view_tiles(images[2:5], views.take(slice(2, 5)))
    np.testing.assert_array_equal(part, whole[2:5])


def test_each_shift_of_a_drifting_camera_is_met():
    drawn = ROBUST.classification.sample(400, (24, 24), np.random.default_rng(0))
    assert isinstance(drawn, TileViews)
    shifts = (drawn.blur, drawn.noise, drawn.quality)
    moves = (drawn.zoom, drawn.angle)
    for values in shifts:
        assert 0.1 < (values != 0).mean() < 0.3
    for values in moves:
        assert 0.4 < (values != 0).mean() < 0.6
    for values in (drawn.gamma, drawn.gain):
        assert (values != 0).all()
    plain = np.all([values == 0 for values in (*shifts, *moves)], axis=0)
    assert 0.4 < plain.mean() < 0.6, "the others are as sharp as the camera took them"


def test_a_tile_is_turned_by_a_quarter_only_where_asked_for():
    for robust in (False, True):
        for turns in (False, True):
            config = TrainConfig(geometry="tiles", robust=robust, turns=turns)
            for recipe in vars(chosen_augmentation(config)).values():
                drawn = recipe.sample(200, (24, 24), np.random.default_rng(0)).orientation
                assert set(drawn.tolist()) == (set(range(8)) if turns else {0, 2, 4, 6})


def test_the_choices_name_the_views():
    assert chosen_augmentation(TrainConfig(geometry="tiles")) is TILES
    assert chosen_augmentation(TrainConfig(geometry="tiles", robust=True)) is ROBUST
    assert chosen_augmentation(TrainConfig(method="nnclr")).contrastive is not TILES.contrastive
