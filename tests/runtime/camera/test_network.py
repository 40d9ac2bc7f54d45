"""Streams by address: what was cut on the way is a fault, and what fails is told apart."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from runtime.camera import Camera, open_camera
from runtime.camera.device import DeviceCamera
from runtime.errors import InputError
from runtime.image.decode import decode_gray
from tests.runtime.camera.containers import avi, jpegs, matroska
from tests.runtime.camera.http_camera import USER, WRITTEN, Server, serving


def flat(level: int) -> bytes:
    """A JPEG of one level with some grain: two of them are easily told apart."""
    noise = np.random.default_rng(level).normal(0, 4, (96, 128))
    gray = np.clip(level + noise, 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


PARTS = [flat(level) for level in (40, 80, 120, 160)]
CUT = [PARTS[0], PARTS[1], PARTS[2][: len(PARTS[2]) // 2], PARTS[3][:-60]]
CLIP = avi(jpegs(7))


@pytest.fixture
def server() -> Iterator[Server]:
    files = {
        "/clip.avi": CLIP,
        "/cut.avi": CLIP[: len(CLIP) * 2 // 3],
        "/counts.avi": avi(jpegs(7), announced=40),
        "/bare.mjpeg": b"".join(jpegs(7)),
        "/clip.mkv": matroska(jpegs(7)),
        "/notes.avi": b"no video at all",
        "/page": b"<html></html>",
    }
    with serving(PARTS, files) as server:
        yield server


@pytest.fixture
def short_pauses(monkeypatch) -> None:
    monkeypatch.setattr("runtime.camera.live.backoff.FIRST_PAUSE_S", 0.001)


def why(address: str) -> str:
    with pytest.raises(InputError) as caught:
        open_camera(address)
    return str(caught.value)


def test_motion_jpeg_comes_with_the_pixels_that_were_sent(server):
    with open_camera(f"http://{server.at}/stream") as camera:
        assert camera.live
        expected = [decode_gray(part) for part in PARTS]
        for _ in range(6):
            frame = camera.read()
            assert frame is not None
            assert frame.pixels is not None
            assert any(np.array_equal(frame.pixels, image) for image in expected)


def test_a_frame_that_was_cut_on_its_way_is_a_fault_and_no_patchwork():
    with serving(CUT) as server, open_camera(f"http://{server.at}/stream") as camera:
        whole = dict.fromkeys((40, 80), 0)
        faults = []
        for _ in range(16):
            frame = camera.read()
            assert frame is not None
            if frame.pixels is None:
                faults.append(frame.fault)
            else:
                rows = frame.pixels.mean(axis=1)
                level = 40 if rows[0] < 60 else 80
                assert np.abs(rows - level).max() < 5
                whole[level] += 1
        assert 6 <= len(faults) <= 10
        assert all("the JPEG is truncated" in fault for fault in faults)


def test_a_stored_file_behind_an_address_ends_at_its_end(server):
    camera = open_camera(f"http://{server.at}/clip.avi")
    assert not camera.live
    frames = list(iter(camera.read, None))
    camera.close()
    assert len(frames) == 7
    assert all(frame.pixels is not None for frame in frames)
    assert len(list(iter(open_camera(f"http://{server.at}/clip.avi", fps=500).read, None))) == 7


def read_until(camera: Camera) -> tuple[int, str]:
    """How many frames came, and how it ended."""
    count = 0
    with camera:
        try:
            while camera.read() is not None:
                count += 1
        except InputError as error:
            return count, str(error)
    return count, ""


def test_a_stored_file_that_ends_early_is_told(server):
    count, ended = read_until(open_camera(f"http://{server.at}/cut.avi"))
    assert 0 < count < 7
    assert f"camera http://{server.at}/cut.avi ended" in ended
    assert "the file is truncated" in ended


def test_a_stored_file_is_whole_whatever_its_header_counts(server):
    assert read_until(open_camera(f"http://{server.at}/counts.avi")) == (7, "")


@pytest.mark.parametrize("name", ["clip.avi", "bare.mjpeg"])
def test_a_connection_that_breaks_within_a_file_is_told(name, server):
    count, ended = read_until(open_camera(f"http://{server.at}/drop/{name}"))
    assert 0 < count < 7
    assert "the file is truncated" in ended or "the connection broke after" in ended


def test_a_file_of_which_the_server_names_no_length_is_read_once(server, short_pauses):
    said: list[str] = []
    camera = open_camera(f"http://{server.at}/nolength/clip.mkv", report=said.append)
    assert read_until(camera) == (7, "")
    assert "restarted from its first frame" in said[-1]


def test_a_live_stream_that_begins_anew_with_the_same_frame_goes_on(server, short_pauses):
    """As a camera's test image does after every reconnection."""
    server.close_after = 5
    said: list[str] = []
    with open_camera(f"http://{server.at}/stream", report=said.append) as camera:
        for _ in range(12):
            frame = camera.read()
            assert frame is not None
            assert frame.pixels is not None
    assert len([line for line in said if "is back after" in line]) >= 2


def test_what_was_fetched_is_removed_again(server, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with open_camera(f"http://{server.at}/clip.avi") as camera:
        assert camera.read() is not None
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
    why(f"http://{server.at}/page")
    with pytest.raises(InputError, match="is not a readable video"):
        open_camera(f"http://{server.at}/notes.avi")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_has_no_room_is_refused(server, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=100))
    assert "set TMPDIR to a folder on a larger disk" in why(f"http://{server.at}/clip.avi")


def test_what_fails_is_told_apart_and_the_hint_fits(server):
    at = server.at
    assert "has nothing at /elsewhere (404); check the path" in why(f"http://{at}/elsewhere")
    assert "asks for a password (401)" in why(f"http://{at}/locked")
    assert "rejects the user or password (401)" in why(f"http://{USER}:wrong@{at}/locked")
    assert "is busy (503)" in why(f"http://{at}/busy")
    assert "a web page, not a video" in why(f"http://{at}/page")
    assert "host name 'camera.invalid' is unknown" in why("http://camera.invalid/stream")
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    assert f"127.0.0.1:{port} refuses connections" in why(f"http://127.0.0.1:{port}/stream")
    assert "refuses connections" in why(f"rtsp://127.0.0.1:{port}/stream")


def test_the_right_password_percent_encoded(server):
    with open_camera(f"http://{USER}:{WRITTEN}@{server.at}/locked") as camera:
        assert camera.read() is not None
        assert WRITTEN not in camera.name
        assert f"{USER}:***@{server.at}" in camera.name


def test_the_login_of_a_file(server, tmp_path):
    (tmp_path / "login").write_text(f"{USER}\n{unquote(WRITTEN)}\n")
    with open_camera(f"http://{server.at}/locked", login_file=tmp_path / "login") as camera:
        assert camera.read() is not None
        assert f"{USER}:***@{server.at}" in camera.name


@pytest.mark.parametrize("password", ["p@ss#w%rd", "50%off", "a/b", "who?", "x y z"])
def test_a_password_that_was_not_encoded_is_hinted_at(password, server):
    message = why(f"http://admin:{password}@{server.at}/locked")
    assert "percent-encode characters such as @ # % / : ? in both (@ is %40" in message
    assert password not in message


def rtsp_server(answers: list[str]) -> tuple[int, list[str]]:
    """A server that answers so many requests on one connection, one connection after the other."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(8)
    requests: list[str] = []

    def talk(link: socket.socket) -> None:
        with link:
            for answer in answers:
                request = link.recv(4096).decode()
                if not request:
                    return
                requests.append(request)
                link.sendall(answer.encode())

    def serve() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(link,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1], requests


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("404 Not Found", "has nothing at /live (404)"),
        ("401 Unauthorized", "asks for a password (401)"),
        ("454 Session Not Found", "lost the session"),
        ("503 Service Unavailable", "is busy (503)"),
        ("500 Internal Server Error", "the error 500"),
    ],
)
def test_rtsp_statuses(status, words):
    port, _ = rtsp_server([f"RTSP/1.0 {status}\r\nCSeq: 1\r\n\r\n"] * 3)
    assert words in why(f"rtsp://127.0.0.1:{port}/live")


def test_rtsp_asks_again_with_the_password_before_it_blames_it():
    challenge = (
        "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n"
        'WWW-Authenticate: Digest realm="cam", nonce="abc"\r\n\r\n'
    )
    port, requests = rtsp_server([challenge, "RTSP/1.0 404 Not Found\r\nCSeq: 2\r\n\r\n"])
    message = why(f"rtsp://admin:geheim@127.0.0.1:{port}/live")
    assert "(404)" in message
    assert "geheim" not in message
    proofs = [request for request in requests if "Authorization: Digest" in request]
    assert proofs
    target = f"rtsp://127.0.0.1:{port}/live"
    one, two = _md5("admin:cam:geheim"), _md5(f"DESCRIBE:{target}")
    proof = _md5(f"{one}:abc:{two}")
    assert any(f'response="{proof}"' in request for request in proofs)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_a_pause_is_counted_from_the_last_frame_on(monkeypatch):
    """A stall that the read waits for, before it gives up, is part of the time without frames."""
    now = [100.0]
    monkeypatch.setattr("runtime.camera.live.camera.time.monotonic", lambda: now[0])
    monkeypatch.setattr("runtime.camera.live.backoff.FIRST_PAUSE_S", 0.001)

    class Driver:
        def __init__(self, frames: int) -> None:
            self.left = frames

        def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
            return True

        def grab(self) -> bool:
            self.left -= 1
            if self.left < 0:
                now[0] += 5.0  # the driver's timeout
            return self.left >= 0

        def retrieve(self) -> tuple[bool, np.ndarray]:
            return True, np.zeros((4, 4), np.uint8)

        def release(self) -> None:
            """Nothing is held."""

    waiting = [Driver(2), Driver(1)]
    said: list[str] = []
    camera = DeviceCamera(0, report=said.append, opener=lambda _: waiting.pop(0))
    for _ in range(3):
        assert camera.read() is not None
    assert "back after 5.0 s without frames" in said[1]
