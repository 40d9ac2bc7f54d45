"""A drifting camera does to an image what each shift is named for."""

from __future__ import annotations

import numpy as np
import pytest

from edgecl.data.camera_shifts import (
    blurred,
    compressed,
    exposed,
    noisy,
    resized_content,
    rotated,
)


@pytest.fixture
def image():
    rows, columns = np.mgrid[:60, :80]
    return (100 + 50 * np.sin(rows / 3) + 30 * np.cos(columns / 2)).astype(np.uint8)


def test_blur_takes_contrast_and_keeps_the_mean(image):
    found = blurred(image, 2.0)
    assert found.std() < 0.8 * image.std()
    assert abs(found.mean() - image.mean()) < 1


def test_noise_has_the_deviation_asked_for(image):
    found = noisy(image, 8.0, np.random.default_rng(0)).astype(float) - image
    assert found.std() == pytest.approx(8, rel=0.05)
    again = noisy(image, 8.0, np.random.default_rng(0))
    np.testing.assert_array_equal(again, noisy(image, 8.0, np.random.default_rng(0)))


def test_a_lower_quality_is_farther_from_the_image(image):
    far, near = (np.abs(compressed(image, q).astype(int) - image).mean() for q in (10, 90))
    assert far > 2 * near


def test_exposure_multiplies_and_gamma_keeps_black_and_white(image):
    assert abs(exposed(image, 0.5).mean() - image.mean() / 2) < 1
    ends = np.array([[0, 255]], np.uint8)
    assert exposed(ends, 1.0, 2.0).tolist() == [[0, 255]]
    assert (exposed(image, 1.0, 2.0) <= image).all()


@pytest.mark.parametrize("change", [lambda i: rotated(i, 5), lambda i: resized_content(i, 1.1)])
def test_content_moves_and_the_size_stays(image, change):
    found = change(image)
    assert found.shape == image.shape
    assert (found != image).mean() > 0.3
    middle = np.s_[29:31, 39:41]
    assert np.abs(found[middle].astype(int) - image[middle]).max() < 12


def test_no_rotation_and_no_scale_change_nothing(image):
    np.testing.assert_array_equal(rotated(image, 0), image)
    np.testing.assert_array_equal(resized_content(image, 1), image)
