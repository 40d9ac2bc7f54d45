"""The affine views: what they do, and that both devices do the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from edgecl.learning.config import TrainConfig
from edgecl.learning.contrastive.augmentation import (
    CROP,
    ZOOM,
    CropRecipe,
    DriftingRecipe,
    ZoomRecipe,
    augment,
    augmentation_of,
    chosen_augmentation,
    two_views,
)
from edgecl.learning.contrastive.tile_views import TileRecipe
from edgecl.learning.contrastive.warps import Views, warp_on_cpu, warp_on_device, warped

CPU = torch.device("cpu")


def smooth_images(count: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (count, height, width)).astype(np.uint8)
    return np.stack([cv2.GaussianBlur(image, (0, 0), 3) for image in noise])


@pytest.mark.parametrize("size", [(48, 48), (33, 80)])
def test_opencv_and_grid_sample_give_the_same_image(size):
    images = smooth_images(16, *size)
    views = ZOOM.contrastive.sample(16, size, np.random.default_rng(1))
    assert isinstance(views, Views)
    on_cpu = warp_on_cpu(images, views).astype(int)
    on_device = warp_on_device(torch.from_numpy(images), views).numpy().astype(int)
    # OpenCV places a pixel to a 32nd; on a smooth image that is a few gray levels at most.
    assert np.abs(on_cpu - on_device).max() <= 4
    assert np.abs(on_cpu - on_device).mean() < 0.5


def test_identity_changes_nothing():
    images = smooth_images(2, 20, 30)
    matrices = np.broadcast_to([[1.0, 0, 0], [0, 1.0, 0]], (2, 2, 3))
    views = Views(matrices, np.ones(2, np.float32))
    np.testing.assert_array_equal(warp_on_cpu(images, views)[:, 0], images)


def test_a_flip_mirrors_the_image():
    images = smooth_images(1, 12, 18)
    views = Views(np.array([[[-1.0, 0, 17], [0, 1.0, 0]]]), np.ones(1, np.float32))
    np.testing.assert_array_equal(warp_on_cpu(images, views)[0, 0], images[0, :, ::-1])


@pytest.mark.parametrize("recipe", [ZOOM.contrastive, ZOOM.classification])
def test_parameters_stay_within_the_recipe(recipe):
    height, width = 100, 160
    views = recipe.sample(4000, (height, width), np.random.default_rng(0))
    reach = 1 - np.sqrt(recipe.min_area)
    scale_x, scale_y = np.abs(views.matrices[:, 0, 0]), views.matrices[:, 1, 1]
    for scale in (scale_x, scale_y):
        assert scale.min() >= 1 - reach
        assert scale.max() <= 1
    centre = np.array([(width - 1) / 2, (height - 1) / 2, 1])
    shift = views.matrices @ centre - centre[:2]
    assert np.abs(shift[:, 0]).max() <= reach / 2 * width + 1e-9
    assert np.abs(shift[:, 1]).max() <= reach / 2 * height + 1e-9
    assert 0.45 < (views.matrices[:, 0, 0] < 0).mean() < 0.55
    limit = recipe.brightness + 3 * recipe.jitter
    assert np.abs(views.gains - 1).max() <= limit


def test_a_negative_gain_is_black():
    images = np.full((1, 8, 8), 100, np.uint8)
    matrices = np.array([[[1.0, 0, 0], [0, 1.0, 0]]])
    views = Views(matrices, np.array([-0.2], np.float32))
    assert warp_on_cpu(images, views).max() == 0
    assert warp_on_device(torch.from_numpy(images), views).max() == 0


def test_the_seed_decides():
    images = smooth_images(4, 24, 24)
    recipe, cpu = ZoomRecipe(0.5, 0.2, 0.1), torch.device("cpu")
    first, again, other = (
        augment(images, recipe, np.random.default_rng(s), cpu) for s in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("recipe", [CROP.contrastive, CROP.classification])
def test_a_crop_lies_within_the_image_and_has_its_share_of_it(recipe):
    assert isinstance(recipe, CropRecipe)
    height, width = 100, 160
    views = recipe.sample(4000, (height, width), np.random.default_rng(0))
    scale_x, scale_y = np.abs(views.matrices[:, 0, 0]), views.matrices[:, 1, 1]
    for corner in ((-0.5, -0.5), (width - 0.5, height - 0.5)):
        x, y = (views.matrices @ np.array([*corner, 1.0])).T
        assert x.min() >= -0.5 - 1e-9
        assert x.max() <= width - 0.5 + 1e-9
        assert y.min() >= -0.5 - 1e-9
        assert y.max() <= height - 0.5 + 1e-9
    ratio = scale_x / scale_y
    assert ratio.min() >= 3 / 4 - 1e-9
    assert ratio.max() <= 4 / 3 + 1e-9
    inside = (scale_x < 1) & (scale_y < 1)  # a side that was cut off at 1 shows less
    assert (scale_x * scale_y)[inside].min() >= recipe.min_area - 1e-9
    assert np.abs(views.gains - 1).max() <= recipe.brightness


def test_nnclr_has_its_own_views_and_the_rest_share_theirs():
    assert augmentation_of("nnclr") is CROP
    assert augmentation_of("simclr") is augmentation_of("none") is ZOOM
    assert augmentation_of("none", "crop") is augmentation_of("simclr", "crop") is CROP
    assert augmentation_of("nnclr", "zoom") is ZOOM


def test_whole_images_drift_where_asked_for():
    images = smooth_images(200, 32, 48)
    plain, drifting = (
        chosen_augmentation(TrainConfig(robust=robust)).classification for robust in (False, True)
    )
    views = [augment(images, recipe, np.random.default_rng(4), CPU) for recipe in (plain, drifting)]
    assert views[0].shape == views[1].shape == (200, 1, 32, 48)
    drawn = drifting.sample(400, (32, 48), np.random.default_rng(0))
    assert isinstance(drawn, Views)
    assert drawn.drift is not None
    for values in (drawn.drift.blur, drawn.drift.noise, drawn.drift.quality):
        assert 0.1 < (values != 0).mean() < 0.3
    assert 0.4 < (drawn.drift.angle != 0).mean() < 0.6
    assert not drawn.drift.gain.any(), "the plain recipe has one already"
    again = two_views(images, drifting, np.random.default_rng(4), CPU)
    assert torch.equal(again[0], views[1])
    assert not torch.equal(again[0], again[1])


def test_a_camera_that_does_not_drift_takes_plain_views():
    images = smooth_images(8, 32, 48)
    recipe = DriftingRecipe(ZOOM.contrastive, TileRecipe())
    one, other = (
        augment(images, taken, np.random.default_rng(4), CPU)
        for taken in (recipe, ZOOM.contrastive)
    )
    assert torch.equal(one, other)


def test_whole_images_turn_about_their_middle():
    images = smooth_images(1, 32, 48)
    still = ZoomRecipe(min_area=1.0, brightness=0.0, jitter=0.0)
    recipe = DriftingRecipe(still, TileRecipe(angle=12.0, zoom=0.2))
    for seed in range(4):
        drawn = recipe.sample(1, (32, 48), np.random.default_rng(seed))
        assert drawn.drift is not None
        image = images[0, :, ::-1] if drawn.matrices[0, 0, 0] < 0 else images[0]
        matrix = cv2.getRotationMatrix2D(
            (23.5, 15.5), float(drawn.drift.angle[0]), float(np.exp(drawn.drift.zoom[0]))
        )
        expected = cv2.warpAffine(image, matrix, (48, 32), borderMode=cv2.BORDER_REFLECT)
        found = augment(images, recipe, np.random.default_rng(seed), CPU)[0, 0].numpy()
        assert np.abs(found.astype(int) - expected).max() <= 2


def test_a_share_of_drifting_views_is_what_a_lone_process_draws():
    images = smooth_images(6, 32, 48)
    recipe = chosen_augmentation(TrainConfig(robust=True)).contrastive
    views = recipe.sample(6, (32, 48), np.random.default_rng(2))
    assert isinstance(views, Views)
    part = warped(images[2:5], views.take(slice(2, 5)), CPU)
    assert torch.equal(part, warped(images, views, CPU)[2:5])
