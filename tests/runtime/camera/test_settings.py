"""Settings of cameras: one form for all kinds, set, read back, and set again after a loss."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime.camera import open_camera
from runtime.camera.address import CameraSource
from runtime.camera.base import CameraRequest
from runtime.camera.genicam.camera import GenicamCamera
from runtime.camera.settings import joined, parse_settings, same
from runtime.errors import InputError
from tests.runtime.camera.genicam.test_feed import Scripted, whole
from tests.runtime.camera.video_device import YUYV, VideoDevice, plugged


def test_the_form():
    found = parse_settings(["ExposureTime=500", "PixelFormat= Mono12 ", "UserSet=a=b"])
    assert found == {"ExposureTime": "500", "PixelFormat": "Mono12", "UserSet": "a=b"}
    assert list(found) == ["ExposureTime", "PixelFormat", "UserSet"]
    for text in ("", "Gain", "Gain=", "=3", "Gain: 3", "Exposure Time=3", "2Gain=3"):
        with pytest.raises(InputError, match="is not FEATURE=VALUE"):
            parse_settings([text])
    with pytest.raises(InputError, match="Gain is set twice"):
        parse_settings(["Gain=1", "Gain=1"])
    assert joined({"A": "1"}, {"B": "2"}, "aravis:x") == {"A": "1", "B": "2"}
    with pytest.raises(InputError, match="A is set twice: behind the camera 'aravis:x'"):
        joined({"A": "1"}, {"A": "1"}, "aravis:x")


def test_values_that_are_the_same():
    assert same("500", "500.0")
    assert same("true", "True")
    assert not same("500", "501")
    assert not same("Off", "off")


def test_a_device_is_set_in_an_order_that_it_takes_and_read_back(monkeypatch):
    device = VideoDevice(rounds={cv2.CAP_PROP_GAIN: 12.0})
    plugged(monkeypatch, device)
    wanted = {
        "Gain": "10",
        "ExposureTime": "530",
        "ExposureAuto": "Off",
        "Height": "32",
        "Width": "40",
        "PixelFormat": "YUYV",
        "AcquisitionFrameRate": "25",
    }
    with open_camera("0", settings=wanted) as camera:
        assert camera.takes_settings
        assert device.told[:7] == [
            (cv2.CAP_PROP_FOURCC, YUYV),
            (cv2.CAP_PROP_FRAME_WIDTH, 40),
            (cv2.CAP_PROP_FRAME_HEIGHT, 32),
            (cv2.CAP_PROP_FPS, 25),
            (cv2.CAP_PROP_AUTO_EXPOSURE, 1),
            (cv2.CAP_PROP_EXPOSURE, 5),
            (cv2.CAP_PROP_GAIN, 10),
        ]
        assert camera.settings == {
            **wanted,
            "Gain": "12",
            "ExposureTime": "500",
        }
        assert list(camera.notes) == [
            "the camera made ExposureTime 500, not 530",
            "the camera made Gain 12, not 10",
        ]
        frame = camera.read()
        assert frame is not None
        assert frame.pixels is not None
        assert frame.pixels.shape == (32, 40, 3)


def test_a_device_gets_them_again_after_a_loss_and_what_it_then_has_is_told(monkeypatch):
    first = VideoDevice(2)
    again, forgetful = VideoDevice(2), VideoDevice(refuses=(cv2.CAP_PROP_EXPOSURE,))
    plugged(monkeypatch, first, again, forgetful)
    said: list[str] = []
    wanted = {"ExposureAuto": "Off", "ExposureTime": "500"}
    with open_camera("0", settings=wanted, report=said.append) as camera:
        for _ in range(5):
            frame = camera.read()
            assert frame is not None
    assert first.told[:2] == again.told[:2] == forgetful.told[:2]
    told = [line for line in said if "after its loss" in line]
    assert told == [
        "after its loss ExposureTime of the camera is 15700, not 500 (the driver refused it)"
    ]


def test_automatic_exposure_of_a_device_is_warned_of(monkeypatch):
    plugged(monkeypatch, VideoDevice())
    with open_camera("0") as camera:
        (note,) = camera.notes
        assert "ExposureAuto is Continuous: brightness will follow the parts" in note
        assert camera.settings["Width"] == "64"


def test_a_setting_that_a_device_refuses_ends_the_command(monkeypatch):
    device = VideoDevice(refuses=(cv2.CAP_PROP_GAIN,))
    plugged(monkeypatch, device)
    with pytest.raises(InputError, match=r"does not take Gain=3; .*v4l2-ctl"):
        open_camera("0", settings={"Gain": "3"})
    assert device.released


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"Shutter": "3"}, "have no setting Shutter; choose from PixelFormat, Width"),
        ({"Gain": "high"}, "Gain=high is not a value"),
        ({"Gain": "nan"}, "Gain=nan is not a value"),
        ({"Gain": "-1"}, "Gain=-1 is not a value"),
        ({"ExposureTime": "1e999"}, "is not a value"),
        ({"ExposureAuto": "Once"}, "ExposureAuto=Once is not a value"),
        ({"PixelFormat": "Mono12"}, "PixelFormat=Mono12 is not a value"),
        ({"Width": "640"}, "Width or Height is set alone"),
    ],
)
def test_what_no_device_takes_is_told_before_it_is_opened(monkeypatch, wanted, said):
    plugged(monkeypatch)
    with pytest.raises(InputError, match=said):
        open_camera("0", settings=wanted)


@pytest.mark.parametrize("source", ["demo", "parts"])
def test_kinds_that_take_none_say_so_in_one_line(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts").mkdir()
    cv2.imwrite(str(tmp_path / "parts" / "a.png"), np.zeros((8, 8), np.uint8))
    with pytest.raises(InputError, match=f"camera {source} takes no settings; leave out --set"):
        open_camera(source, settings={"Gain": "1"})


def genicam(device: Scripted, settings: dict[str, str], **options) -> GenicamCamera:
    request = CameraRequest(CameraSource("aravis", "aravis:test"), settings=settings, **options)
    return GenicamCamera(request, lambda: device, {"Width": "16"})


def test_a_genicam_camera_takes_those_of_its_address_and_those_beside_it():
    device = Scripted(whole(1), has={"Width": "8", "Gain": "0"})
    with genicam(device, {"Gain": "2"}) as camera:
        assert camera.takes_settings
        assert device.has == {"Width": "16", "Gain": "2"}
        assert camera.settings == {"Width": "16", "Gain": "2"}


def test_what_is_set_in_two_places_is_refused():
    with pytest.raises(InputError, match="Width is set twice: behind the camera 'aravis:test'"):
        genicam(Scripted(), {"Width": "8"})
    with pytest.raises(InputError, match="--fps and AcquisitionFrameRate both"):
        genicam(Scripted(), {"AcquisitionFrameRate": "8"}, fps=5)
