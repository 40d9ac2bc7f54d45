"""What is known of pipelines without GStreamer: names, layouts, and how to install it."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from runtime.camera import open_camera
from runtime.camera.gstreamer.csi import csi_pipeline
from runtime.camera.gstreamer.library import gstreamer
from runtime.camera.gstreamer.pixels import RawLayout, pixels_of
from runtime.errors import FrameError, InputError


def refusal(source: str) -> InputError:
    gstreamer.cache_clear()
    with pytest.raises(InputError) as caught:
        open_camera(source)
    gstreamer.cache_clear()
    return caught.value


def test_a_machine_without_pygobject_is_told_the_packages(monkeypatch):
    monkeypatch.setitem(sys.modules, "gi", None)
    for source in ("videotestsrc ! appsink", "csi:0"):
        error = refusal(source)
        assert error.code == "package-missing"
        assert "PyGObject" in error.problem
        assert "sudo apt install python3-gi gir1.2-gst-plugins-base-1.0" in error.hint
        assert "--system-site-packages" in error.hint
        assert "\n" not in str(error)


def test_a_machine_with_pygobject_alone_is_told_the_packages(monkeypatch):
    class Bare(ModuleType):
        @staticmethod
        def require_version(name: str, version: str) -> None:
            raise ValueError(f"Namespace {name} not available")

    monkeypatch.setitem(sys.modules, "gi", Bare("gi"))
    error = refusal("videotestsrc ! appsink")
    assert error.code == "package-missing"
    assert "Namespace Gst not available" in error.problem
    assert "sudo apt install" in error.hint


def test_other_cameras_never_import_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gi", None)
    open_camera("demo").close()


def test_jetson_cameras_by_name():
    assert csi_pipeline("0") == (
        "nvarguscamerasrc sensor-id=0 ! video/x-raw(memory:NVMM) ! nvvidconv ! "
        "video/x-raw,format=NV12 ! appsink"
    )
    assert csi_pipeline("1?mode=2&width=1920&height=1080&fps=60&flip=2") == (
        "nvarguscamerasrc sensor-id=1 sensor-mode=2 ! "
        "video/x-raw(memory:NVMM),width=1920,height=1080,framerate=60/1 ! "
        "nvvidconv flip-method=2 ! video/x-raw,format=NV12 ! appsink"
    )


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("", "names no sensor"),
        ("left", "names no sensor"),
        ("0!filesink", "names no sensor"),
        ("0?gain=3", "unknown option 'gain'; choose from mode"),
        ("0?mode=two", "mode=two is not a number"),
        ("0?mode=", "mode= is not a number"),
        ("0?mode=100", "from 0 to 99"),
        ("0?mode=1!filesink", "is not a number"),
        ("0?width=640", "a width or a height alone"),
    ],
)
def test_names_of_no_jetson_camera(target, words):
    with pytest.raises(InputError) as caught:
        open_camera(f"csi:{target}")
    assert words in str(caught.value)


def test_a_frame_rate_is_the_pipelines():
    for source in ("csi:0", "videotestsrc ! appsink"):
        with pytest.raises(InputError, match="sets its own frame rate"):
            open_camera(source, fps=5)


def test_rows_are_read_by_their_stride():
    rows = np.arange(5 * 16, dtype=np.uint8).reshape(5, 16)
    data = b"head" + rows.tobytes()
    gray = pixels_of(data, RawLayout("GRAY8", 7, 5, 16, 4))
    np.testing.assert_array_equal(gray, rows[:, :7])
    np.testing.assert_array_equal(pixels_of(data, RawLayout("UYVY", 4, 5, 16, 4)), rows[:, 1:8:2])
    np.testing.assert_array_equal(pixels_of(data, RawLayout("YUY2", 4, 5, 16, 4)), rows[:, :8:2])
    bgr = pixels_of(data, RawLayout("BGRx", 3, 5, 16, 4))
    np.testing.assert_array_equal(bgr, rows[:, :12].reshape(5, 3, 4)[:, :, :3])
    deep = pixels_of(data, RawLayout("GRAY16_LE", 3, 5, 16, 4))
    np.testing.assert_array_equal(deep, rows[:, :6].copy().view("<u2"))


def test_luma_of_video_is_spread_to_that_of_images():
    luma = np.array([[0, 16, 126, 235, 255]], np.uint8)
    layout = RawLayout("I420", 5, 1, 5, limited=True)
    np.testing.assert_array_equal(pixels_of(luma.tobytes(), layout), [[0, 0, 128, 255, 255]])
    gray = RawLayout("GRAY8", 5, 1, 5, limited=True)
    np.testing.assert_array_equal(pixels_of(luma.tobytes(), gray), luma)


def test_a_buffer_that_is_too_short_is_a_fault():
    with pytest.raises(FrameError, match="has 79 of 80 bytes"):
        pixels_of(bytes(79), RawLayout("GRAY8", 16, 5, 16))
