"""Motion JPEG over HTTP from cameras that misbehave: a counted outage or fault, or one line."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from pathlib import Path

import numpy as np
import pytest

from runtime.camera import Camera, Frame, open_camera
from runtime.errors import EquipmentError, InputError
from runtime.image.decode import decode_gray
from tests.runtime.camera.http_camera import serving
from tests.runtime.camera.network.raw_server import HEAD, chunked, misbehaving, part
from tests.runtime.camera.network.test_multipart import JPEGS
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def short_times(monkeypatch) -> None:
    monkeypatch.setattr("runtime.camera.live.backoff.FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("runtime.camera.network.web.READ_TIMEOUT_S", 0.6)


def take(camera: Camera, count: int) -> list[Frame]:
    frames = []
    for _ in range(count):
        frame = camera.read()
        assert frame is not None
        frames.append(frame)
    return frames


def refusal(address: str) -> str:
    with pytest.raises(InputError) as caught:
        open_camera(address)
    return str(caught.value)


def send(*data: bytes):
    return lambda link: [link.sendall(block) for block in data]


def stays(*data: bytes):
    """Sends, and then nothing, while the connection stands."""

    def behave(link: socket.socket) -> None:
        for block in data:
            link.sendall(block)
        link.recv(1)  # until the other side closes

    return behave


def test_one_request_opens_a_camera_that_allows_one_viewer():
    with serving([*JPEGS]) as server, open_camera(f"http://{server.at}/stream") as camera:
        assert camera.live
        take(camera, 4)
        assert server.asked == ["/stream"]


def test_what_is_no_whole_jpeg_is_a_fault_and_the_stream_goes_on():
    damaged = JPEGS[0][:200] + b"\xff\xd9"
    sent = [
        part(JPEGS[0]),
        part(JPEGS[1][: len(JPEGS[1]) // 2]),
        part(damaged),
        part(b"no video signal", b"text/plain"),
        part(b"\x89PNG\r\n\x1a\n" + bytes(40), b"image/png"),
        part(b""),
        part(JPEGS[2]),
    ]
    with (
        misbehaving(stays(HEAD, *sent)) as server,
        open_camera(f"http://{server.at}/") as camera,
    ):
        frames = take(camera, 7)
    np.testing.assert_array_equal(frames[0].pixels, decode_gray(JPEGS[0]))
    np.testing.assert_array_equal(frames[6].pixels, decode_gray(JPEGS[2]))
    assert all(frame.pixels is None for frame in frames[1:6])
    assert "frame 1: the JPEG is truncated" in frames[1].fault
    assert "the JPEG is" in frames[2].fault
    assert "the part is not a JPEG (text/plain, 15 bytes)" in frames[3].fault
    assert "not a JPEG (image/png" in frames[4].fault
    assert "the part is empty" in frames[5].fault
    assert (camera.losses, camera.stalls) == (0, 0)


@pytest.mark.parametrize("size", [1, 333, 1 << 16])
def test_chunked_encoding_is_taken_apart(size):
    head = HEAD.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    body = b"".join(part(image) for image in JPEGS)
    with (
        misbehaving(stays(head, chunked(body, size))) as server,
        open_camera(f"http://{server.at}/") as camera,
    ):
        for frame, image in zip(take(camera, 3), JPEGS, strict=True):
            np.testing.assert_array_equal(frame.pixels, decode_gray(image))


def test_a_server_that_closes_is_lost_and_back():
    said: list[str] = []
    sends = send(HEAD, part(JPEGS[0]))
    with (
        misbehaving(sends) as server,
        open_camera(f"http://admin:geheim@{server.at}/", report=said.append) as camera,
    ):
        frames = take(camera, 3)
        assert [frame.number for frame in frames] == [0, 1, 2]
        assert (camera.losses, camera.stalls) == (2, 0)
        assert 0 < camera.seconds_lost < 60
    assert "stopped after frame 0 (the server closed the connection); opening it again" in said[0]
    assert "is back after" in said[1]
    assert not any("geheim" in line for line in said)


def test_a_hundred_losses_leave_neither_threads_nor_descriptors():
    before = len(list(Path("/proc/self/fd").iterdir()))
    with (
        misbehaving(send(HEAD, part(JPEGS[0]))) as server,
        open_camera(f"http://{server.at}/") as camera,
    ):
        take(camera, 101)
        assert camera.losses == 100
        wait_until(lambda: [one.name for one in threading.enumerate()].count("camera") == 1)
    # The server's last ones may still be open.
    wait_until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before + 4)


def test_a_slow_reader_gets_the_newest_image_and_is_told():
    sent, gone = threading.Event(), threading.Event()
    said: list[str] = []

    def many(link: socket.socket) -> None:
        link.sendall(HEAD + part(JPEGS[0]))
        link.sendall(b"".join(part(image) for image in [JPEGS[1]] * 40 + [JPEGS[2]]))
        sent.set()
        gone.wait(10)

    with (
        misbehaving(many) as server,
        open_camera(f"http://{server.at}/", report=said.append) as (camera),
    ):
        take(camera, 1)
        assert sent.wait(10)
        (newest,) = take(camera, 1)
        gone.set()
        np.testing.assert_array_equal(newest.pixels, decode_gray(JPEGS[2]))
        assert newest.number == 1
        assert camera.overtaken == 40
    assert said[0].endswith("sends frames faster than they are taken; some are lost")


def test_a_server_that_stalls_within_a_part_is_a_fault_and_then_stalled():
    said: list[str] = []
    half = part(JPEGS[1])[: len(JPEGS[1]) // 2]
    stalls, works = stays(HEAD, part(JPEGS[0]), half), stays(HEAD, *map(part, JPEGS))
    with (
        misbehaving(stalls, works) as server,
        open_camera(f"http://{server.at}/", report=said.append) as camera,
    ):
        frames = take(camera, 4)
    assert [frame.pixels is None for frame in frames] == [False, True, False, False]
    assert "the JPEG is truncated" in frames[1].fault
    assert (camera.losses, camera.stalls) == (0, 1)
    assert "stalled after frame 1" in said[0]


def test_a_server_that_stalls_between_parts_is_stalled():
    stalls, works = stays(HEAD, part(JPEGS[0])), stays(HEAD, part(JPEGS[1]))
    with (
        misbehaving(stalls, works) as server,
        open_camera(f"http://{server.at}/") as camera,
    ):
        assert all(frame.pixels is not None for frame in take(camera, 2))
        assert (camera.losses, camera.stalls) == (0, 1)


def test_a_part_without_an_end_is_a_fault_and_the_loss_of_the_camera(monkeypatch):
    monkeypatch.setattr("runtime.camera.network.motion_jpeg.LARGEST_PART", 1 << 20)
    endless = send(HEAD, b"--frame\r\n\r\n\xff\xd8", *[bytes(1 << 16)] * 64)
    with (
        misbehaving(endless, stays(HEAD, part(JPEGS[0]))) as server,
        open_camera(f"http://{server.at}/") as camera,
    ):
        frames = take(camera, 2)
        assert "has more than 1 MiB" in frames[0].fault
        assert frames[1].pixels is not None
        assert camera.losses == 1


def test_why_a_camera_stays_away_is_said_once_and_giving_up_is_equipment(monkeypatch):
    # A crowded machine that answers late would be another reason.
    monkeypatch.setattr("runtime.camera.network.web.READ_TIMEOUT_S", 30)
    said: list[str] = []
    refuses = send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    with (
        misbehaving(send(HEAD, part(JPEGS[0])), refuses) as server,
        open_camera(f"http://{server.at}/", report=said.append, give_up_after=1.0) as camera,
    ):
        take(camera, 1)
        with pytest.raises(EquipmentError, match="did not recover within") as caught:
            camera.read()
    assert caught.value.code == "camera-lost"
    assert len(server.requests) >= 2
    assert [line for line in said if "is still away" in line] == [
        f"camera http://{server.at}/ is still away: 127.0.0.1 is busy (503)"
    ]


def test_closing_ends_a_read_that_waits(monkeypatch):
    monkeypatch.setattr("runtime.camera.network.web.READ_TIMEOUT_S", 600)
    reading = threading.Event()

    def waits(link: socket.socket) -> None:
        link.sendall(HEAD + part(JPEGS[0]))
        reading.wait(10)
        link.recv(1)

    with misbehaving(waits) as server:
        camera = open_camera(f"http://{server.at}/")
        take(camera, 1)
        answers: list[Frame | None] = []
        reader = threading.Thread(target=lambda: answers.append(camera.read()))
        reader.start()
        reading.set()
        camera.close()
        reader.join(10)
        assert answers == [None]
        assert camera.read() is None


def test_a_refusal_or_a_page_is_one_line():
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html></html>"
    text = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
    for answer, words in (
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "has nothing at /x (404)"),
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "rejects the user or password (401)"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "responds with the error 500"),
        (page, "responds with a web page, not a video"),
        (text, "is not a readable video"),
    ):
        with misbehaving(send(answer)) as server:
            message = refusal(f"http://admin:geheim@{server.at}/x")
        assert words in message
        assert "geheim" not in message


def test_a_server_that_never_answers_is_one_line(monkeypatch):
    monkeypatch.setattr("runtime.camera.network.web.TIMEOUT_S", 0.3)
    with misbehaving(stays()) as server:
        assert "did not respond within" in refusal(f"http://{server.at}/")


def test_a_certificate_that_nobody_trusts_is_one_line(tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    with misbehaving(stays(HEAD, part(JPEGS[0])), context=context) as server:
        assert "offers no trusted encryption" in refusal(f"https://{server.at}/")


def test_encrypted_motion_jpeg_is_read_and_its_stall_seen(tmp_path, monkeypatch):
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    stalls, works = stays(HEAD, part(JPEGS[0])), stays(HEAD, part(JPEGS[1]))
    with (
        misbehaving(stalls, works, context=context) as server,
        open_camera(f"https://{server.at}/") as camera,
    ):
        for frame, image in zip(take(camera, 2), JPEGS, strict=False):
            np.testing.assert_array_equal(frame.pixels, decode_gray(image))
        assert camera.stalls == 1


def self_signed(folder: Path) -> Path:
    """A certificate of 127.0.0.1 with its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "camera")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "camera.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
