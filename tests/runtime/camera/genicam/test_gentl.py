"""GenTL cameras, with the simulated producer that the package genicam brings."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from runtime.camera import open_camera
from runtime.errors import InputError


@pytest.fixture
def producer() -> Path:
    genicam = pytest.importorskip("genicam", reason="pip install 'edgecl[genicam]'")
    pytest.importorskip("harvesters", reason="pip install 'edgecl[genicam]'")
    return Path(genicam.__file__).with_name("viky.cti")


def test_frames_come_with_the_settings_that_were_asked_for(producer):
    with open_camera(f"gentl:{producer}#1?PixelFormat=Mono8&Width=320", fps=100) as camera:
        frames = [camera.read() for _ in range(6)]
        assert camera.live
        assert "Viky" in camera.name
        assert camera.settings["Width"] == "320"
        assert float(camera.settings["AcquisitionFrameRate"]) == 100
    images = []
    for number, frame in enumerate(frames):
        assert frame is not None
        assert frame.number == number
        assert frame.pixels is not None
        assert frame.pixels.shape == (400, 320)
        assert frame.pixels.dtype == np.uint8
        images.append(frame.pixels)
    assert not np.array_equal(images[0], images[-1])  # a copy each, and the ball bounces
    assert camera.statistics["lost_frames"] == 0
    assert camera.statistics["completed_buffers"] >= 6


@pytest.mark.parametrize(
    ("device", "ball"), [("#VikyTL_DEV_red", (0, 0, 255)), ("#2", (255, 0, 0))]
)
def test_colour_comes_as_bgr_without_its_alpha(device, ball, producer):
    """A red or blue ball before a white wall."""
    with open_camera(f"gentl:{producer}{device}") as camera:
        frame = camera.read()
    assert frame is not None
    assert frame.pixels is not None
    assert frame.pixels.shape == (400, 400, 3)
    assert tuple(frame.pixels.reshape(-1, 3).min(axis=0).tolist()) == ball


def test_a_camera_can_be_opened_again_and_closed_from_another_thread(producer):
    for _ in range(2):
        camera = open_camera(f"gentl:{producer}")
        assert camera.read() is not None
        threading.Timer(0.2, camera.close).start()
        while camera.read() is not None:
            pass


@pytest.mark.parametrize(
    ("behind", "options", "words"),
    [
        ("#7", {}, "has no camera '7'; choose from #0 VikyTL_DEV_red, #1 VikyTL_DEV_green"),
        ("?Sharpness=1", {}, "the camera has no feature Sharpness"),
        ("?Width=99999", {}, "does not take Width=99999 (Value = 99999 must be equal or smaller"),
        ("", {"trigger": "software"}, "the camera has no software trigger"),
    ],
)
def test_what_cannot_be_opened_is_told(behind, options, words, producer):
    with pytest.raises(InputError) as caught:
        open_camera(f"gentl:{producer}{behind}", **options)
    assert words in str(caught.value)


def test_a_file_that_is_not_a_producer_is_told(producer, tmp_path, capfd):
    file = tmp_path / "bad.cti"
    file.write_text("not a library")
    with pytest.raises(InputError, match=r"bad\.cti cannot be used"):
        open_camera(f"gentl:{file}")
    assert capfd.readouterr().err == ""


def test_a_missing_producer_is_told():
    with pytest.raises(InputError, match=r"there is no GenTL producer 'no/such\.cti'"):
        open_camera("gentl:no/such.cti")


def test_without_harvesters_one_line_says_what_to_install(monkeypatch, tmp_path):
    (tmp_path / "some.cti").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "harvesters", None)
    with pytest.raises(InputError) as caught:
        open_camera(f"gentl:{tmp_path / 'some.cti'}")
    assert caught.value.code == "package-missing"
    assert "pip install 'edgecl[genicam]'" in str(caught.value)
