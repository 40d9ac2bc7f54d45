"""The affine views: what they do, and that both devices do the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from edgecl.learning.contrastive.augmentation import (
    CROP,
    ZOOM,
    CropRecipe,
    Views,
    ZoomRecipe,
    augment,
    augmentation_of,
    warp_on_cpu,
    warp_on_device,
)


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
