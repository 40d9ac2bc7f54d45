"""RTSP against GStreamer's server: TCP without being told to, stalls, and a server that dies."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.camera import Camera, open_camera
from runtime.camera.capture import open_capture
from runtime.camera.device import MOST_BEHIND_NS
from runtime.camera.network import rtsp
from runtime.camera.network.rtsp import TCP, VARIABLE, over_tcp
from runtime.errors import InputError

SERVER = Path(__file__).with_name("rtsp_server.py")
PYTHON = "/usr/bin/python3"
NEEDS = "gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly"

Start = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start servers, and end them with the test."""
    running: list[subprocess.Popen[str]] = []

    def start(codec: str, transport: str, port: str = "0") -> tuple[subprocess.Popen[str], str]:
        if shutil.which(PYTHON) is None:
            pytest.skip(f"there is no {PYTHON}")
        # GStreamer of the system, whatever this Python's environment says.
        process = subprocess.Popen(
            [PYTHON, "-I", str(SERVER), codec, transport, port],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        assert process.stderr is not None
        assert select.select([process.stdout], [], [], 60)[0]
        line = process.stdout.readline().strip()
        if not line:
            pytest.skip(f"install {NEEDS}: {process.stderr.read().strip()[-200:]}")
        return process, line

    yield start
    for process in running:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture(autouse=True)
def no_options(monkeypatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def short_times(monkeypatch) -> None:
    """For what stalls: on a crowded machine a server that does not is as late at times."""
    for module in ("capture", "device"):
        monkeypatch.setattr(f"runtime.camera.{module}.READ_TIMEOUT_MS", 1500)


def take(camera: Camera, count: int) -> None:
    for _ in range(count):
        frame = camera.read()
        assert frame is not None
        assert frame.pixels is not None
        assert frame.pixels.shape[:2] == (96, 128)


@pytest.mark.parametrize(
    ("codec", "offers", "taken"),
    [
        pytest.param("jpeg", "tcp", "TCP", marks=pytest.mark.slow),
        ("h264", "any", "TCP"),
        ("h264", "udp", "UDP"),
    ],
)
def test_a_camera_is_asked_for_tcp_first(start, codec, offers, taken):
    process, port = start(codec, offers)
    with open_camera(f"rtsp://127.0.0.1:{port}/live") as camera:
        take(camera, 3)
        assert VARIABLE not in os.environ
    assert f"RTP/AVP/{taken};" in process.stdout.readline()


@pytest.mark.parametrize("codec", [pytest.param("jpeg", marks=pytest.mark.slow), "h264"])
def test_frames_that_grew_old_behind_a_slow_consumer_are_passed_over(start, codec):
    _, port = start(codec, "tcp")
    with open_camera(f"rtsp://127.0.0.1:{port}/live") as camera:
        take(camera, 30)
        assert camera.overtaken == 0
        threading.Event().wait(MOST_BEHIND_NS / 1e9 + 1)  # the server goes on
        frame = camera.read()
        assert frame is not None
        assert frame.delay_ns is not None
        assert frame.delay_ns <= MOST_BEHIND_NS
        assert camera.overtaken > 0
        take(camera, 3)


def test_options_of_the_user_win(start, monkeypatch):
    process, port = start("h264", "any")
    monkeypatch.setenv(VARIABLE, "rtsp_transport;udp")
    with open_camera(f"rtsp://127.0.0.1:{port}/live") as camera:
        take(camera, 1)
    assert "RTP/AVP/UDP;" in process.stdout.readline()
    assert os.environ[VARIABLE] == "rtsp_transport;udp"


def test_a_wrong_path_is_one_line(start):
    _, port = start("h264", "tcp")
    with pytest.raises(InputError, match=r"has nothing at /other \(404\)"):
        open_camera(f"rtsp://127.0.0.1:{port}/other")


@pytest.mark.usefixtures("short_times")
def test_a_server_that_stalls_and_one_that_dies_are_back(start):
    said: list[str] = []
    process, port = start("h264", "tcp")
    wake = threading.Event()

    def report(line: str) -> None:
        said.append(line)
        if "stalled" in line:
            process.send_signal(signal.SIGCONT)
        elif "stopped" in line:
            wake.set()

    def restart() -> None:
        wake.wait(60)
        start("h264", "tcp", port)

    with open_camera(f"rtsp://127.0.0.1:{port}/live", report=report) as camera:
        take(camera, 2)
        process.send_signal(signal.SIGSTOP)
        while not camera.stalls:
            take(camera, 1)
        assert "no frame for 1" in said[0]
        assert "is back after" in said[-1]
        take(camera, 2)
        assert camera.losses == 0
        process.kill()
        process.wait()
        thread = threading.Thread(target=restart)
        thread.start()
        while not camera.losses:
            take(camera, 1)
        thread.join(60)
        take(camera, 2)
        assert (camera.losses, camera.stalls) == (1, 1)


def test_the_option_is_there_while_an_address_is_opened(monkeypatch):
    seen: list[str | None] = []

    class Capture:
        def __init__(self, *_: object) -> None:
            seen.append(os.environ.get(VARIABLE))

        def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
            return False

        def release(self) -> None:
            """Nothing is held."""

        def set(self, *_: object) -> None:
            """Nothing is kept."""

    monkeypatch.setattr("runtime.camera.capture.cv2.VideoCapture", Capture)
    for address in ("rtsp://camera/1", "http://camera/1"):
        open_capture(address)
    assert seen == [TCP, None]


def test_the_variable_is_set_for_rtsp_alone_and_taken_back(monkeypatch):
    for address in ("http://camera/1", "/dev/video0", "udp://@:5000"):
        with over_tcp(address):
            assert VARIABLE not in os.environ
    with over_tcp("RTSP://camera/1"):
        assert os.environ[VARIABLE] == TCP
        with over_tcp("rtsps://camera/2"):
            assert os.environ[VARIABLE] == TCP
        assert os.environ[VARIABLE] == TCP
    assert VARIABLE not in os.environ
    with pytest.raises(ZeroDivisionError), over_tcp("rtsp://camera/1"):
        raise ZeroDivisionError
    assert VARIABLE not in os.environ
    monkeypatch.setenv(VARIABLE, "rtsp_transport;udp_multicast")
    with over_tcp("rtsp://camera/1"):
        assert os.environ[VARIABLE] == "rtsp_transport;udp_multicast"
    assert os.environ[VARIABLE] == "rtsp_transport;udp_multicast"
    assert rtsp._SETTING._users == 0
