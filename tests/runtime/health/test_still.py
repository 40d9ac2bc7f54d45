"""What tells a standing camera from a running line: in short, and in full."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.health import HealthLimits, HealthMonitor, Source
from runtime.health.statistics import CELL, measure
from runtime.health.still import Still

LIMITS = HealthLimits()


def in_full(first: NDArray[np.generic], other: NDArray[np.generic], share: float) -> bool:
    """The comparison with nothing left out, in NumPy."""
    one, two = measure(first), measure(other)
    change = np.square(one.samples.astype(float) - two.samples).mean()
    local = np.square(one.cells.astype(float) - two.cells).mean()
    texture = np.square(one.samples.astype(float)).mean() - np.square(one.cells).mean()
    noise = local * CELL**2 <= LIMITS.still_structure * change
    return bool(change <= 0.05 or (noise and change - local <= 2 * share * texture))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_what_is_left_out_of_the_comparison_changes_no_answer(share):
    """Scenes that share more and less, by white noise, coarse noise and light."""
    rng = np.random.default_rng(0)
    answers = []
    for number in range(120):
        scene, other = rng.normal(120, 20, (2, 96, 112))
        shared = rng.random()
        coarse = cv2.resize(rng.normal(0, 10, (12, 14)), (112, 96)) * (number % 3 == 0)
        second = shared * scene + (1 - shared) * other + coarse + 5 * (number % 5 == 0)
        pair = [np.clip(image, 0, 255).astype(np.uint8) for image in (scene, second)]
        if number % 2:
            pair = [image.astype(np.uint16) * 257 for image in pair]
        found = Still(measure(pair[0])).shows_the_same(
            measure(pair[1]), structure=LIMITS.still_structure, share=share
        )
        assert found == in_full(pair[0], pair[1], share)
        answers.append(found)
    assert share == 0 or 10 < sum(answers) < 110


def test_a_camera_that_turns_to_another_depth_goes_on_to_be_looked_at():
    rng = np.random.default_rng(0)
    eight = [rng.integers(0, 256, (64, 64), np.uint8) for _ in range(3)]
    deep = [frame.astype(np.uint16) * 257 for frame in eight]
    monitor = HealthMonitor(LIMITS, Source(live=False))
    found = [monitor.examine(frame, 0) for frame in (eight[0], *deep, deep[0])]
    told = ["" if one is None else one.fault.value for one in found]
    assert told == ["", "size-changed", "", "", ""]
