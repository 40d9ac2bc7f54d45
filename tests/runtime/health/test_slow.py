"""Focus and light over many frames, and what an export learns of them."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.health import HealthLimits, SlowMonitor
from runtime.health.scene import scene_of
from runtime.health.statistics import sharpness
from tests.runtime.health.test_monitor import steel

QUICK = HealthLimits(slow_every=1, slow_window=50)
# Of all coils in turn, as a window of many frames sees them.
STEEL = sorted(steel(1200)[::6], key=lambda image: zlib.crc32(image.tobytes()))


def blurred(images: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    return [np.asarray(cv2.GaussianBlur(image, (0, 0), 3), np.uint8) for image in images]


def dimmed(images: list[NDArray[np.uint8]], factor: float) -> list[NDArray[np.uint8]]:
    return [np.minimum(image * factor, 255).astype(np.uint8) for image in images]


def begun(images: list[NDArray[np.uint8]], limits: HealthLimits = QUICK) -> list[str]:
    monitor = SlowMonitor(limits)
    return [str(finding.fault) for image in images for finding in monitor.look(image)]


def test_steady_light_and_focus_have_no_fault():
    assert begun(STEEL) == []


def test_a_lens_out_of_focus_is_told_when_it_begins_and_when_it_comes_back():
    soft = blurred(STEEL)
    assert begun([*STEEL, *soft]) == ["defocused"]
    assert begun([*STEEL, *soft, *STEEL, *soft]) == ["defocused", "defocused"]


@pytest.mark.parametrize("factor", [0.2, 1.9])
def test_light_that_changes_is_told_and_is_no_matter_of_focus(factor):
    assert begun([*STEEL, *dimmed(STEEL, factor)]) == ["drifting-light"]


def test_the_bundle_knows_from_the_first_window_on():
    limits = QUICK.learnt(scene_of(np.stack(STEEL)))
    assert begun(STEEL, limits) == []
    assert begun(blurred(STEEL), limits) == ["defocused"]
    assert begun(dimmed(STEEL, 0.3), limits) == ["drifting-light"]


def test_most_images_are_not_measured():
    limits = HealthLimits(slow_every=10, slow_window=50)
    assert begun([*STEEL, *dimmed(STEEL, 0.2)], limits) == []  # 40 measured, no full window


def test_sharpness_is_about_one_and_depends_on_neither_light_nor_contrast():
    usual = float(np.median([sharpness(image) for image in STEEL]))
    assert 0.6 < usual < 2
    assert sharpness(dimmed(STEEL[:1], 0.5)[0]) == pytest.approx(sharpness(STEEL[0]), rel=0.1)
    assert sharpness(blurred(STEEL[:1])[0]) < 0.6 * sharpness(STEEL[0])
    assert sharpness(np.full((64, 64), 9, np.uint8)) == 1
    assert sharpness(np.zeros((15, 80), np.uint8)) == 1


def test_what_is_learnt_of_images():
    scene = scene_of(np.stack(STEEL))
    assert scene is not None
    assert scene.images == len(STEEL)
    assert 0 < scene.level.q01 <= scene.level.q50 <= scene.level.q99 < 1
    assert scene.black == 0
    assert scene_of(np.empty((0, 8, 8), np.uint8)) is None
