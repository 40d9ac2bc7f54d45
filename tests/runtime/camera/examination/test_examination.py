"""Measurement of a camera: light and focus, counts, recording, and an end whatever it does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.camera.base import Camera, Frame
from runtime.camera.examination.document import report_on
from runtime.camera.examination.measurement import FrameTally, measure
from runtime.camera.examination.quality import SIDE, quality_of
from runtime.camera.examination.recording import Recorder, write_png
from runtime.errors import EquipmentError, FrameError, InputError
from runtime.image.decode import read_image


class Still(Camera):
    """Gives the frames of a list, and then what it is told."""

    name = "still"

    def __init__(self, frames: Sequence[Frame], then: Callable[[], object] = lambda: None) -> None:
        self.live = True
        self.closed = threading.Event()
        self._frames = iter(frames)
        self._then = then

    def read(self) -> Frame | None:
        frame = next(self._frames, None)
        if frame is None:
            self._then()
        return frame

    def close(self) -> None:
        self.closed.set()


def frame(number: int, pixels: np.ndarray | None = None, **facts) -> Frame:
    start_ns = number * 40_000_000
    return Frame(number, pixels, start_ns, start_ns, **facts)


GRAY = np.full((8, 10), 51, np.uint8)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_light_is_a_share_of_white_at_every_depth(bits):
    white = (1 << bits) - 1
    kind = np.uint8 if bits == 8 else np.uint16
    pixels = np.full((10, 10), white // 5, kind)
    pixels[:2] = white
    pixels[-1] = 0
    found = quality_of(pixels, None if bits == 8 else bits)
    assert found.brightness == pytest.approx((0.7 * 0.2 + 0.2), abs=0.01)
    assert found.saturated == pytest.approx(0.2)
    assert found.black == pytest.approx(0.1)


def test_focus_falls_with_blur_and_does_not_depend_on_the_depth():
    sharp = np.random.default_rng(0).integers(0, 256, (SIDE + 100, SIDE + 50)).astype(np.uint8)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 2)
    focus = quality_of(sharp).focus
    assert quality_of(np.asarray(blurred)).focus < focus / 10
    deep = sharp.astype(np.uint16) << 4
    assert quality_of(deep, 12).focus == pytest.approx(focus, rel=0.02)
    colour = np.dstack([sharp] * 3)
    assert quality_of(colour).focus == pytest.approx(focus, rel=0.02)
    assert quality_of(GRAY).focus == 0


def test_an_array_that_is_not_an_image_has_no_quality():
    for wrong in (np.zeros((2, 2), np.float32), np.zeros((0, 4), np.uint8), np.zeros((2, 2, 2))):
        with pytest.raises(FrameError):
            quality_of(wrong)


def test_frames_faults_sizes_and_intervals_are_counted():
    frames = [frame(0, GRAY), frame(1, None, fault="torn"), frame(2, GRAY), frame(3, GRAY[:4])]
    frames.append(frame(5, GRAY.astype(np.uint16), bits=12))
    camera = Still(frames)
    found = measure(camera, 60)
    assert found.ended
    assert camera.closed.is_set()
    report = report_on(camera, found, datetime.now(timezone.utc))
    assert (report.frames, report.faulty, report.faults) == (5, 1, ("torn",))
    assert report.frames_per_second == pytest.approx(20)
    assert report.intervals is not None
    assert report.intervals.p50_ms == pytest.approx(40)
    assert report.intervals.max_ms == pytest.approx(80)
    sizes = [(size.width, size.height, size.dtype, size.frames) for size in report.sizes]
    assert sizes == [(10, 8, "uint8", 2), (10, 4, "uint8", 1), (10, 8, "uint16", 1)]
    assert report.bits == 12
    assert report.light is not None
    assert report.light.brightness_max == pytest.approx(0.2)


def test_a_failure_ends_the_measurement_and_is_kept():
    def fail() -> None:
        raise EquipmentError("gone", hint="plug it in")

    found = measure(Still([frame(0, GRAY)], fail), 60)
    assert isinstance(found.failure, EquipmentError)
    assert found.frames == 1
    assert not found.ended


def test_a_read_that_never_returns_does_not_stop_the_measurement(monkeypatch):
    monkeypatch.setattr("runtime.camera.examination.measurement._LEAVE_S", 0.1)
    hanging = threading.Event()
    found = measure(Still([frame(0, GRAY)], lambda: hanging.wait() and None), 0.3)
    assert found.frames == 1
    assert not found.ended
    hanging.set()


def test_a_user_ends_it():
    hanging = threading.Event()
    camera = Still([], lambda: hanging.wait() and None)
    threading.Timer(0.2, hanging.set).start()
    assert measure(camera, 60, stopped=lambda: True).frames == 0


def test_light_is_measured_of_some_frames_only():
    found = FrameTally()
    for number in range(30):  # 40 ms apart
        found.add(frame(number, GRAY))
    assert len(found.qualities) == 10


def test_a_recording_keeps_every_frame_of_a_stored_source_as_it_is(tmp_path):
    rng = np.random.default_rng(1)
    frames = [
        frame(0, rng.integers(0, 4096, (8, 10)).astype(np.uint16), bits=12),
        frame(1, None, fault="torn"),
        *(frame(number, rng.integers(0, 256, (8, 10)).astype(np.uint8)) for number in range(2, 40)),
    ]
    recorder = Recorder(tmp_path, 30, may_skip=False)
    measure(Still(frames), 60, recorder=recorder)
    recorder.close()
    assert (recorder.written, recorder.skipped) == (30, 0)
    files = sorted(tmp_path.iterdir())
    whole = [one.pixels for one in frames if one.pixels is not None][:30]
    assert len(files) == 30
    for file, pixels in zip(files, whole, strict=True):
        assert file.suffix == ".png"
        read = read_image(file)
        assert read.dtype == pixels.dtype
        assert np.array_equal(read, pixels)


def test_a_recording_goes_on_until_it_is_complete(tmp_path):
    recorder = Recorder(tmp_path, 12, may_skip=False)
    found = measure(Still([frame(n, GRAY) for n in range(99)]), 1e-9, recorder=recorder)
    recorder.close()
    assert recorder.written == 12
    assert not found.ended


def test_a_live_camera_does_not_wait_for_a_slow_disk(tmp_path, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr(
        "runtime.camera.examination.recording.write_png", lambda path, pixels: go_on.wait() and None
    )
    recorder = Recorder(tmp_path, 50, may_skip=True)
    for number in range(40):
        recorder.offer(frame(number, GRAY))
    go_on.set()
    recorder.close()
    assert recorder.skipped > 0
    assert recorder.written + recorder.skipped == 40


def test_a_disk_that_fails_ends_the_recording(tmp_path, monkeypatch):
    def fail(path: Path, pixels: object) -> None:
        raise EquipmentError("the disk is full", hint="free some space", code="disk-failing")

    monkeypatch.setattr("runtime.camera.examination.recording.write_png", fail)
    recorder = Recorder(tmp_path, 1000, may_skip=False)
    measure(Still([frame(n, GRAY) for n in range(100)]), 60, recorder=recorder)
    with pytest.raises(EquipmentError, match="the disk is full"):
        recorder.close()


def test_a_png_appears_whole_or_not_at_all(tmp_path):
    write_png(tmp_path / "a.png", GRAY)
    with pytest.raises(InputError):
        write_png(tmp_path / "a.png" / "b.png", GRAY)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
