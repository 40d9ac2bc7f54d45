"""What is wrong with a frame: each fault alone, and what must not be taken for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.artifact.scene import Quantiles, SceneRecord
from runtime.camera.demo import DemoCamera
from runtime.health import HealthLimits, HealthMonitor, Source

SECOND = 10**9
VIDEO = Source(live=False)
IMAGES = Source(sequence=False, live=False)


def steel(count: int, shape: tuple[int, int] = (128, 128)) -> list[NDArray[np.uint8]]:
    camera = DemoCamera(shape, fps=None, frames=count)
    return [np.asarray(frame.pixels, np.uint8) for frame in iter(camera.read, None)]


def standing(count: int, sigma: float = 2.0) -> list[NDArray[np.uint8]]:
    """A line that stands, seen by a camera that works."""
    scene, rng = steel(1)[0].astype(np.float32), np.random.default_rng(0)
    noisy = (scene + rng.normal(0, sigma, scene.shape) for _ in range(count))
    return [np.clip(np.rint(image), 0, 255).astype(np.uint8) for image in noisy]


def faults(
    frames: Sequence[NDArray[Any]],
    source: Source = Source(),  # noqa: B008 - frozen
    limits: HealthLimits = HealthLimits(),  # noqa: B008 - frozen
    *,
    fps: float = 30.0,
    bits: int | None = None,
) -> list[str]:
    monitor = HealthMonitor(limits, source)
    found = [
        monitor.examine(frame, round(number * SECOND / fps), bits=bits)
        for number, frame in enumerate(frames)
    ]
    return ["" if finding is None else finding.fault.value for finding in found]


def test_good_frames_of_a_line_that_runs_have_no_fault():
    assert not any(faults(steel(300)))


@pytest.mark.parametrize(("value", "fault"), [(0, "dark"), (4, "dark"), (255, "bright")])
def test_light_that_is_off_or_far_too_strong(value, fault):
    good = steel(2)
    assert faults([good[0], np.full_like(good[0], value), good[1]]) == ["", fault, ""]


def test_colour_and_deep_frames_are_measured_on_their_own_scale():
    gray = steel(2)
    red = np.zeros((128, 128, 3), np.uint8)
    red[:, :, 2] = 200  # as under red light: no green at all
    assert faults([red], IMAGES) == [""]
    deep = [frame.astype(np.uint16) << 4 for frame in gray]
    assert faults(deep, bits=12) == ["", ""]
    assert faults([deep[0] >> 10], bits=12) == ["dark"]
    alpha = cv2.cvtColor(red, cv2.COLOR_BGR2BGRA)
    assert faults([alpha, gray[0][:, :, None]], IMAGES) == ["", ""]


def test_what_is_no_image_is_left_to_the_judge():
    assert faults([np.zeros((0, 4), np.uint8), np.zeros((4, 4, 5), np.uint8)]) == ["", ""]
    assert faults([np.zeros((4, 4), np.float32)]) == [""]


def test_a_frame_of_another_size_or_kind():
    good, small = steel(6), steel(1, (64, 64))[0]
    colour = cv2.cvtColor(good[5], cv2.COLOR_GRAY2BGR)
    found = faults([*good[:3], small, good[3], colour, good[4]])
    assert found == ["", "", "", "size-changed", "", "size-changed", ""]


def test_a_first_frame_of_another_size_does_not_condemn_all_others():
    found = faults([steel(1, (64, 64))[0], *steel(5)])
    assert found == ["", "size-changed", "", "", "", ""]


def test_a_frame_that_comes_again_from_a_camera_but_not_from_a_video():
    good = steel(6)
    again = [good[0], good[0], good[1], good[2], good[1], good[3]]
    assert faults(again) == ["", "repeated", "", "", "repeated", ""]
    assert not any(faults(again, VIDEO))


def test_one_pixel_is_enough_to_be_another_frame():
    good = steel(1, (512, 512))[0]
    other = good.copy()
    other[1, 1] ^= 1  # not on the grid that is looked at
    assert faults([good, other], Source()) == ["", ""]


@pytest.mark.parametrize("jpeg", [False, True], ids=["raw", "jpeg"])
def test_the_same_but_for_noise_is_frozen_after_frames_and_seconds(jpeg):
    frames: list[Any] = standing(50)
    if jpeg:
        coded = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])[1] for frame in frames]
        frames = [cv2.imdecode(one, cv2.IMREAD_GRAYSCALE) for one in coded]
    limits = HealthLimits(frozen_frames=30, frozen_s=1.0)
    assert faults(frames, limits=limits) == [""] * 30 + ["frozen"] * 20
    slow = faults(frames, limits=limits, fps=100)
    assert slow[:50] == [""] * 50  # half a second
    assert faults(frames, VIDEO, limits, fps=1000) == [""] * 30 + ["frozen"] * 20


def test_metal_that_moves_again_ends_it():
    found = faults([*standing(40), *steel(20)[1:]], VIDEO)
    assert found == [""] * 30 + ["frozen"] * 10 + [""] * 19


def test_where_only_noise_can_be_seen_nothing_is_called_frozen():
    rng = np.random.default_rng(0)
    blank = [rng.normal(120, 2, (128, 128)).astype(np.uint8) for _ in range(60)]
    assert not any(faults(blank, VIDEO))


def test_a_folder_of_all_sizes_with_copies_has_no_fault():
    image = steel(1)[0]
    assert not any(faults([image, steel(1, (64, 90))[0], *[image] * 50], IMAGES))


def test_dark_and_bright_are_relative_to_what_the_model_saw():
    scene = _scene(level=(0.002, 0.1), black=0.97, saturated=0.0)
    limits = HealthLimits().learnt(scene)
    field = np.zeros((100, 100), np.uint8)
    field[:10, :10] = 90  # a dark field, as it was trained on
    assert faults([field], IMAGES) == ["dark"]
    assert faults([field], IMAGES, limits) == [""]
    assert faults([np.zeros_like(field)], IMAGES, limits) == ["dark"]
    assert faults([np.full_like(field, 210)], IMAGES, limits) == ["bright"]
    assert HealthLimits().learnt(None) == HealthLimits()


def _scene(*, level: tuple[float, float], black: float, saturated: float) -> SceneRecord:
    low, high = level
    spread = Quantiles(q01=low, q50=(low + high) / 2, q99=high)
    return SceneRecord(images=9, level=spread, sharpness=spread, black=black, saturated=saturated)


def clock(times: list[tuple[float, float]]) -> list[bool]:
    """Faults of frames by (camera's, machine's) seconds."""
    monitor = HealthMonitor(HealthLimits(), Source())
    return [
        monitor.examine_clock(round(device * SECOND), round(host * SECOND)) is not None
        for device, host in times
    ]


def test_a_clock_that_jumps_stands_or_runs_backwards_is_told_once_each():
    good = [(100 + n / 30, n / 30) for n in range(60)]
    assert not any(clock(good))
    ahead = [(device + 5, host) for device, host in good[40:]]
    assert clock([*good[:40], *ahead]) == [False] * 40 + [True] + [False] * 19
    back = [(device - 50, host) for device, host in good[40:]]
    assert clock([*good[:40], *back]) == [False] * 40 + [True] + [False] * 19
    assert clock([good[0], good[1], (good[1][0], good[2][1])]) == [False, False, True]


@pytest.mark.parametrize("frames", [3, 40, 400])
def test_each_reboot_of_a_camera_is_told(frames):
    """A clock that begins anew with each reboot, which takes 20 s, also soon after the last one."""
    told = clock(
        [
            (1 + n / 30, reboot * (20 + frames / 30) + n / 30)
            for reboot in range(4)
            for n in range(frames)
        ]
    )
    assert [n for n, wrong in enumerate(told) if wrong] == [frames, 2 * frames, 3 * frames]


def test_frames_that_waited_while_the_model_was_loaded_are_no_jump():
    waited = [(n / 30, 5 + n / 1000) for n in range(16)]
    prompt = [(5.1 + n / 30, 5.1 + n / 30) for n in range(100)]
    assert not any(clock([*waited, *prompt]))
    begun_anew = [(device - 4, host + 5) for device, host in (*waited, *prompt)]
    assert sum(clock([*waited, *prompt, *begun_anew])) == 1


def test_frames_that_waited_in_the_driver_are_no_jump():
    stalled = [(n / 30, n / 30 if n < 5 else 3 + n / 1000) for n in range(40)]
    caught_up = [(n / 30, max(3.2, n / 30)) for n in range(40, 200)]
    assert not any(clock([*stalled, *caught_up]))


def test_a_camera_without_a_clock_has_no_wrong_one():
    assert HealthMonitor(HealthLimits(), Source()).examine_clock(None, 5) is None
