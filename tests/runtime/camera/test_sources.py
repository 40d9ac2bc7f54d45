"""A source is taken for what it is, and what is none is refused with a hint that fits."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.artifact.contract import InputContract
from runtime.camera import open_camera
from runtime.camera.address import Kind, looks_unencoded, sort_source
from runtime.camera.capture import encoded_jpeg
from runtime.camera.depth import settle_depth
from runtime.camera.device import DeviceCamera
from runtime.camera.outages import FIRST, LAST, Outages
from runtime.errors import InputError
from tests.runtime.camera.containers import SHAPE, avi, grain, jpegs
from tests.runtime.image.formats.files import tiff


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(tmp_path)


def folder(path: Path) -> Path:
    path.mkdir(parents=True)
    cv2.imwrite(str(path / "part_1.png"), grain(1))
    return path


def why(source: str) -> str:
    with pytest.raises(InputError) as caught:
        open_camera(source)
    return str(caught.value)


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_an_empty_name_is_no_folder(empty, here):
    folder(here / "a")
    message = why(empty)
    assert "--camera is empty" in message
    assert "a variable in a script or unit file" in message


def test_a_path_that_exists_is_not_hidden_by_a_number_or_a_pipelines_sign(here):
    for name in ("731", "coil ! left", "0007"):
        folder(here / name)
        frame = open_camera(name).read()
        assert frame is not None
        assert frame.pixels is not None
    (here / "clip ! 2.avi").write_bytes(avi(jpegs(3)))
    assert len(list(iter(open_camera("clip ! 2.avi").read, None))) == 3


def test_what_can_be_two_things_is_refused(here, monkeypatch):
    folder(here / "3")
    monkeypatch.setattr("runtime.camera.address.device_node", lambda index: here / "3")
    message = why("3")
    assert "is both the video device" in message
    assert "use ./3 or" in message


def test_names_of_devices(here):
    assert sort_source("12").index == 12
    assert sort_source("/dev/video97").index == 97
    link = here / "by-id-camera"
    link.symlink_to("/dev/null")
    found = sort_source(str(link))
    assert (found.kind, found.path, found.index) == (Kind.DEVICE, link, None)
    message = why(str(link))
    assert "could not open" in message
    assert "no video" not in message
    assert "video4linux" not in message


def test_a_stable_name_whose_camera_is_unplugged(here):
    (here / "usb-camera").symlink_to(here / "video9")
    assert "is a link to" in why(str(here / "usb-camera"))
    assert "no such device; plug it in" in why("/dev/v4l/by-id/usb-none")


def test_pipes_and_sockets_are_no_cameras_and_never_waited_for(here):
    os.mkfifo(here / "pipe")
    assert "not a file, folder or camera device" in why("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("listener")
        assert "not a file" in why("listener")


def test_files_that_are_written_as_addresses(here):
    path = here / "a clip.avi"
    path.write_bytes(avi(jpegs(4)))
    for source in (f"file://{path}", f"file:{path}", f"file://localhost{path}", path.as_uri()):
        assert len(list(iter(open_camera(source).read, None))) == 4
    assert "no such file" in why("file:///nowhere.avi")
    assert "on another host, 'box'" in why("file://box/clip.avi")
    folder(here / "parts")
    assert open_camera(f"file://{here}/parts").read() is not None


def test_an_image_is_one_by_its_content(here):
    (here / "snapshot").write_bytes(jpegs(1)[0])
    frame = open_camera("snapshot").read()
    assert frame is not None
    assert frame.pixels is not None


def test_a_scheme_that_is_not_read_and_an_address_without_a_host():
    assert "htp:// streams are not supported" in why("htp://camera/1")
    assert "has no host name" in why("rtsp://")
    assert "an invalid port" in why("rtsp://camera:port/1")
    for waiting in ("udp://@:5999", "udp://:5999", "srt://:9000?mode=listener", "rtp://@:5004"):
        assert sort_source(waiting).kind is Kind.ADDRESS


@pytest.mark.parametrize(
    ("address", "odd"),
    [
        ("rtsp://admin:geheim@camera/1", False),
        ("rtsp://admin:p%40ss@camera/1", False),
        ("rtsp://camera/1", False),
        ("rtsp://admin:p@ss@camera/1", True),
        ("rtsp://admin:50%@camera/1", True),
        ("rtsp://admin:a/b@camera/1", True),
        ("rtsp://admin:a#b@camera/1", True),
    ],
)
def test_passwords_that_look_unencoded(address, odd):
    assert looks_unencoded(address) is odd


def test_a_rate_is_for_what_is_stored(here):
    folder(here / "parts")
    for live in ("97", "v4l2src ! appsink", "rtsp://camera/1"):
        with pytest.raises(InputError, match="sets its own frame rate"):
            open_camera(live, fps=5)


class Driver:
    """A driver that gives one frame again and again, as OpenCV's backends do."""

    def __init__(self, frame: np.ndarray) -> None:
        self._frame = frame

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def grab(self) -> bool:
        return True

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, self._frame

    def release(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("channels", [1, 3])
def test_deep_frames_of_a_driver_keep_all_their_bits(channels):
    deep = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    sent = np.dstack([deep] * channels) if channels > 1 else deep
    frame = DeviceCamera("v4l2src ! appsink", opener=lambda _: Driver(sent)).read()
    assert frame is not None
    np.testing.assert_array_equal(frame.pixels, sent)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.int32])
def test_samples_of_no_gray_are_a_fault_and_never_wrap(dtype):
    camera = DeviceCamera(0, opener=lambda _: Driver(np.full((4, 4), 300, dtype)))
    frame = camera.read()
    assert frame is not None
    assert frame.pixels is None
    assert np.dtype(dtype).name in frame.fault


def test_a_driver_that_hands_over_jpegs():
    data = np.frombuffer(jpegs(1)[0], np.uint8)
    for driver in (Driver(data[None]), Driver(data[:, None])):
        frame = DeviceCamera(0, opener=lambda _, driver=driver: driver).read()  # type: ignore[misc]
        assert frame is not None
        assert frame.pixels is not None
    cut = DeviceCamera(0, opener=lambda _: Driver(data[None, : len(data) // 2])).read()
    assert cut is not None
    assert "truncated" in cut.fault
    assert encoded_jpeg(np.zeros((1, 64), np.uint8)) is None


def deep_folder(path: Path, bits: int, count: int = 5) -> Path:
    path.mkdir()
    for number in range(count):
        samples = grain(number).astype(np.uint32) * ((1 << bits) - 1) // 255
        (path / f"{number}.tif").write_bytes(tiff(samples.astype(np.uint16), 16))
    return path


def test_the_depth_of_a_stream_is_given_kept_or_found(here):
    said: list[str] = []
    twelve = open_camera(str(deep_folder(here / "twelve", 12)))
    assert settle_depth(twelve, InputContract(*SHAPE), None, said.append) == 12
    assert "above 4095, so they are read as 12-bit images" in said.pop()
    assert settle_depth(twelve, InputContract(*SHAPE), 14, said.append) == 14
    assert settle_depth(twelve, InputContract(*SHAPE, bits=12), None, said.append) == 12
    assert not said
    with pytest.raises(InputError, match="--bits 10 differs from the 12 bits"):
        settle_depth(twelve, InputContract(*SHAPE, bits=12), 10, said.append)
    ten = open_camera(str(deep_folder(here / "ten", 10)), fps=100)
    assert settle_depth(ten, InputContract(*SHAPE, bits=12), None, said.append) == 12
    assert "use 10 bits, but the model was trained with 12" in said.pop()
    many = open_camera(str(deep_folder(here / "many", 10, count=20)))
    with pytest.raises(InputError, match="if the images are just dark, pass --bits 12"):
        settle_depth(many, InputContract(*SHAPE, bits=12), None, said.append)
    assert settle_depth(many, InputContract(*SHAPE, bits=12), 12, said.append) == 12
    with pytest.raises(InputError, match="use 12 bits, but the model was trained with 10"):
        settle_depth(twelve, InputContract(*SHAPE, bits=10), None, said.append)
    flat = open_camera(str(folder(here / "flat")))
    assert settle_depth(flat, InputContract(*SHAPE), None, said.append) is None


def test_outages_are_kept_in_bounded_memory():
    outages = Outages()
    for number in range(10_000):
        outages.add(f"line {number}")
    assert outages.count == 10_000
    assert len(outages.lines) == FIRST + LAST + 1
    assert outages.lines[0] == "line 0"
    assert outages.lines[-1] == "line 9999"
    assert f"({10_000 - FIRST - LAST} more messages" in outages.lines[FIRST]
