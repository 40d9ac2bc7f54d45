"""Health of the part of a frame that is judged."""

from __future__ import annotations

import numpy as np

from runtime.artifact.roi import Roi
from runtime.health import HealthFault, HealthLimits, HealthMonitor, Source

ROI = Roi(left=32, top=16, width=64, height=48)


def framed(number: int, *, inside: int = 120, outside: int = 0) -> np.ndarray:
    """A frame with a band of a level in it, and noise of its own everywhere."""
    pixels = np.full((96, 128), outside)
    pixels[16:64, 32:96] = inside
    noise = np.random.default_rng(number).integers(0, 4, pixels.shape)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


def faults(frames, roi: Roi | None) -> list[HealthFault | None]:
    monitor = HealthMonitor(HealthLimits(dark_below=0.3), Source(sequence=True, live=True), roi)
    found = (monitor.examine(frame, number * 10**7) for number, frame in enumerate(frames))
    return [None if finding is None else finding.fault for finding in found]


def test_a_dark_border_outside_is_nobodys_fault_and_a_dark_part_inside_is():
    frames = [framed(number) for number in range(3)]
    assert faults(frames, ROI) == [None] * 3
    assert set(faults(frames, None)) == {HealthFault.DARK}
    bright_around = [framed(number, inside=5, outside=200) for number in range(3)]
    assert set(faults(bright_around, ROI)) == {HealthFault.DARK}


def test_another_size_of_the_whole_frame_is_told_although_the_part_has_its_size():
    frames = [framed(0), framed(1), framed(2)[:90], framed(3)]
    assert faults(frames, ROI) == [None, None, HealthFault.SIZE_CHANGED, None]


def test_a_frame_that_is_too_small_is_told_from_the_first_on():
    monitor = HealthMonitor(HealthLimits(), Source(sequence=False, live=False), ROI)
    for number in range(3):
        finding = monitor.examine(framed(number)[:60], number)
        assert finding is not None
        assert finding.fault is HealthFault.SIZE_CHANGED
        assert "too small for the ROI 32,16,64,48" in finding.reason


def test_what_is_not_an_image_stays_the_judges_matter():
    monitor = HealthMonitor(HealthLimits(), Source(), ROI)
    assert monitor.examine(np.zeros(5, np.uint8), 0) is None
