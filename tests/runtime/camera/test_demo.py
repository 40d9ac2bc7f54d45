import itertools
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.camera import demo
from runtime.camera.base import Frame
from runtime.camera.demo import DemoCamera, draw_loop, write_strip_video
from runtime.errors import InputError
from runtime.surfaces import CLEAN, LABELS

SMALL = (32, 32)


def shot(camera: DemoCamera) -> tuple[Frame, NDArray[np.uint8]]:
    """The next frame and its pixels."""
    frame = camera.read()
    assert frame is not None
    assert frame.pixels is not None
    assert frame.pixels.dtype == np.uint8
    return frame, frame.pixels.astype(np.uint8, copy=False)


def test_frames_are_gray_numbered_and_end_at_the_limit() -> None:
    with DemoCamera(SMALL, fps=None, frames=5) as camera:
        shots = [shot(camera) for _ in range(5)]
        assert camera.read() is None
    assert [frame.number for frame, _ in shots] == [0, 1, 2, 3, 4]
    assert all(pixels.shape == SMALL for _, pixels in shots)
    assert all(pixels.dtype == np.uint8 for _, pixels in shots)
    assert all(frame.start_ns <= frame.ready_ns for frame, _ in shots)


def test_a_frame_is_wider_than_high_where_that_was_asked_for() -> None:
    _, pixels = shot(DemoCamera((24, 80), fps=None))
    assert pixels.shape == (24, 80)


def test_one_seed_gives_the_same_frames_and_another_seed_other_ones() -> None:
    first, same, other = (
        np.array([shot(camera)[1] for _ in range(9)])
        for camera in (DemoCamera(SMALL, fps=None, seed=seed) for seed in (1, 1, 2))
    )
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_the_strip_moves_by_the_advance() -> None:
    camera = DemoCamera((64, 64), fps=None, advance=5)
    before, after = (shot(camera)[1].astype(int) for _ in range(2))
    moved = np.abs(before[:, 5:] - after[:, :-5]).mean()
    # What is left is the noise of two frames: 2 * sigma / sqrt(pi), with sigma 2.
    assert moved == pytest.approx(4 / np.sqrt(np.pi), rel=0.1)


def test_no_two_frames_are_alike_even_after_a_whole_loop() -> None:
    loop = draw_loop(SMALL, np.random.default_rng(7))
    camera = DemoCamera(SMALL, fps=None, advance=loop.length - SMALL[1], seed=7)
    frames = [shot(camera)[1] for _ in range(12)]
    assert all(not np.array_equal(a, b) for a, b in itertools.combinations(frames, 2))
    # But for the noise they are: the strip stands at its start.
    assert np.abs(np.mean(frames, axis=0) - loop.window(0, SMALL[1])).mean() < 1


def test_the_truth_goes_through_all_labels_and_starts_clean() -> None:
    camera = DemoCamera(SMALL, fps=None, advance=16, frames=140)
    truths = [frame.truth for frame in iter(camera.read, None)]
    assert truths[0] == CLEAN
    assert set(truths) == set(LABELS)


def test_the_loop_closes_onto_its_own_start() -> None:
    loop = draw_loop(SMALL, np.random.default_rng(0))
    assert np.array_equal(loop.window(0, 32), loop.window(loop.length - 32, 32))
    assert loop.zones[0].start >= 32
    assert loop.zones[-1].stop <= loop.length - 32


def test_coils_are_joined_without_a_step() -> None:
    loop = draw_loop((64, 64), np.random.default_rng(0))
    columns = loop.pixels.astype(float).mean(axis=0)
    coil = (loop.length - 64) // demo.COILS[1]
    joints = [coil * n + edge for n in range(demo.COILS[1] + 1) for edge in (0, 64)]
    steps = np.abs(np.diff(columns))
    assert max(steps[joint - 1] for joint in joints[1:-1]) < 8
    # The coils differ by far more than that, or there would be nothing to join.
    assert np.ptp([columns[coil * n + 64] for n in range(demo.COILS[1])]) > 30


def test_a_paced_camera_is_live_and_keeps_its_cadence() -> None:
    with DemoCamera(SMALL, fps=200.0, frames=20) as camera:
        assert camera.live
        start = time.monotonic_ns()
        stamps = [frame.start_ns for frame in iter(camera.read, None)]
    # A frame may come late on a busy machine, but never before its tick.
    assert all(stamp - start >= tick * 5_000_000 - 1000 for tick, stamp in enumerate(stamps))


def test_without_a_rate_nothing_is_lost() -> None:
    assert not DemoCamera(SMALL, fps=None).live


def test_a_late_reader_of_a_paced_camera_finds_the_strip_further_on() -> None:
    camera = DemoCamera(SMALL, fps=1000.0, advance=1)
    first, at_first = shot(camera)
    time.sleep(0.05)
    late, at_last = shot(camera)
    patient = DemoCamera(SMALL, fps=None, advance=1)
    steps = [shot(patient)[1].astype(int) for _ in range(40)]
    assert (first.number, late.number) == (0, 1)
    # At least 50 ticks went by: it is none of the first 40 places.
    nearest = min(np.abs(at_last - step).mean() for step in steps)
    assert nearest > np.abs(at_first - steps[0]).mean() + 1


def test_closing_ends_a_read_that_waits() -> None:
    camera = DemoCamera(SMALL, fps=0.001)
    camera.read()
    got: list[Frame | None] = []
    reader = threading.Thread(target=lambda: got.append(camera.read()), daemon=True)
    reader.start()
    camera.close()
    camera.close()
    reader.join(timeout=20)
    assert got == [None]


@pytest.mark.parametrize("wrong", [{"fps": 0.0}, {"advance": 0}, {"frames": -1}])
def test_what_is_not_positive_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="use a number above 0"):
        DemoCamera(SMALL, **wrong)


def test_a_video_shows_what_the_camera_sees(tmp_path: Path) -> None:
    path = tmp_path / "new" / "strip.avi"
    truths = write_strip_video(path, 12, shape=(64, 64), advance=32, fps=25.0, seed=3)
    camera = DemoCamera((64, 64), advance=32, fps=None, frames=12, seed=3)
    seen = [shot(camera) for _ in range(12)]
    video = cv2.VideoCapture(str(path))
    assert video.get(cv2.CAP_PROP_FPS) == 25.0
    for _, pixels in seen:
        read, shown = video.read()
        assert read
        gray = cv2.cvtColor(shown, cv2.COLOR_BGR2GRAY)
        assert np.abs(gray.astype(int) - pixels).mean() < 3
    assert not video.read()[0]
    assert truths == [frame.truth for frame, _ in seen]
    assert [file.name for file in path.parent.iterdir()] == ["strip.avi"]


def test_a_video_goes_into_an_avi_file_or_nowhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ending in \.avi"):
        write_strip_video(tmp_path / "strip.mp4", 3)


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        write_strip_video(tmp_path / "file" / "strip.avi", 3, shape=SMALL)
