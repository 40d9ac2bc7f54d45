"""Files, folders and devices as cameras, whole and broken."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.camera import Camera, Frame, open_camera
from runtime.camera.device import DeviceCamera
from runtime.camera.pacing import PacedCamera
from runtime.errors import EdgeclError, InputError
from runtime.image.decode import decode_gray

SHAPE = (48, 64)


def image(number: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    grain = np.random.default_rng(number).integers(0, 256, shape, np.uint8)
    return np.asarray(cv2.GaussianBlur(grain, (5, 5), 0), np.uint8)


def write_avi(path: Path, frames: int = 20) -> Path:
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, codec, 30.0, SHAPE[::-1])
    assert writer.isOpened()
    for number in range(frames):
        writer.write(cv2.cvtColor(image(number), cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def cut(path: Path, size: int) -> Path:
    path.write_bytes(path.read_bytes()[:size])
    return path


def packets(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    return [packet for ok, packet in iter(capture.read, (False, None)) if ok]


def read_all(camera: Camera) -> tuple[list[Frame], EdgeclError | None]:
    frames: list[Frame] = []
    try:
        while (frame := camera.read()) is not None:
            frames.append(frame)
    except EdgeclError as error:
        return frames, error
    finally:
        camera.close()
        camera.close()
    return frames, None


def test_motion_jpeg_comes_as_gray_from_the_decoder_of_training(tmp_path):
    path = write_avi(tmp_path / "clip.avi")
    frames, error = read_all(open_camera(str(path)))
    assert error is None
    assert [frame.number for frame in frames] == list(range(20))
    for frame, packet in zip(frames, packets(path), strict=True):
        assert frame.ready_ns >= frame.start_ns
        np.testing.assert_array_equal(frame.pixels, decode_gray(packet))


def test_a_video_cut_within_a_frame_is_faulty_there_and_named(tmp_path):
    path = write_avi(tmp_path / "clip.avi")
    data = path.read_bytes()
    start = data.index(packets(path)[12].tobytes()[:1500])
    frames, error = read_all(open_camera(str(cut(path, start + 700))))
    assert [frame.pixels is not None for frame in frames] == [True] * 12 + [False]
    assert "truncated" in frames[-1].fault
    assert str(path) in frames[-1].fault
    assert error is not None
    assert "in the middle of frame 13 of 20" in error.problem
    assert "record it again" in error.hint


def test_a_video_cut_between_frames_says_how_many_it_had(tmp_path):
    path = write_avi(tmp_path / "clip.avi")
    start = path.read_bytes().index(packets(path)[12].tobytes()[:1500])
    frames, error = read_all(open_camera(str(cut(path, start - 8))))
    assert all(frame.pixels is not None for frame in frames)
    assert error is not None
    assert "after 12 of 20 frames" in error.problem


def test_a_damaged_packet_in_the_middle_is_a_fault_and_no_end(tmp_path):
    path = write_avi(tmp_path / "clip.avi")
    data = bytearray(path.read_bytes())
    packet = packets(path)[5].tobytes()
    end = data.index(packet[:1500]) + len(packet.rstrip(b"\0"))
    data[end - 2 : end] = b"\0\0"  # the end marker
    path.write_bytes(data)
    frames, error = read_all(open_camera(str(path)))
    assert error is None
    assert [frame.number for frame in frames if frame.pixels is None] == [5]


def test_other_codecs_come_as_bgr(tmp_path):
    path = tmp_path / "clip.mp4"
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, 30.0, SHAPE[::-1])
    if not writer.isOpened():
        pytest.skip("this OpenCV cannot write mp4v")
    for number in range(9):
        writer.write(cv2.cvtColor(image(number), cv2.COLOR_GRAY2BGR))
    writer.release()
    frames, error = read_all(open_camera(str(path)))
    assert error is None
    assert [np.asarray(frame.pixels).shape for frame in frames] == [(*SHAPE, 3)] * 9
    with pytest.raises(InputError, match="not a readable video"):
        open_camera(str(cut(path, path.stat().st_size // 2)))


def test_a_file_that_is_no_video(tmp_path):
    path = tmp_path / "notes.avi"
    path.write_text("no video at all")
    with pytest.raises(InputError, match=r"notes\.avi is not a readable video"):
        open_camera(str(path))


def test_a_folder_in_natural_order_with_broken_files_and_odd_sizes(tmp_path):
    for number, shape in ((1, SHAPE), (2, (31, 17)), (10, (100, 3))):
        cv2.imwrite(str(tmp_path / f"frame_{number}.png"), image(number, shape))
    (tmp_path / "frame_3.png").write_text("a text file with an image's name")
    ok, encoded = cv2.imencode(".jpg", image(4))
    assert ok
    (tmp_path / "frame_4.jpg").write_bytes(encoded.tobytes()[:-200])
    (tmp_path / "frame_5.bmp").touch()
    (tmp_path / "README.txt").write_text("is not an image and not a frame")
    frames, error = read_all(open_camera(str(tmp_path)))
    assert error is None
    shapes = [None if frame.pixels is None else frame.pixels.shape for frame in frames]
    assert shapes == [SHAPE, (31, 17), None, None, None, (100, 3)]
    faults = [frame.fault for frame in frames if frame.fault]
    assert "frame_3.png: it is not an image" in faults[0]
    assert "frame_4.jpg: the JPEG is truncated" in faults[1]
    assert "frame_5.bmp: the file is empty" in faults[2]


def test_what_takes_an_images_place_during_the_stream_is_a_fault_and_holds_nothing_up(tmp_path):
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), image(number))
    camera = open_camera(str(tmp_path))
    for number in range(1, 4):
        (tmp_path / f"{number}.png").unlink()
    os.mkfifo(tmp_path / "1.png")  # would be waited for
    (tmp_path / "2.png").symlink_to("/dev/zero")  # has no end
    (tmp_path / "3.png").mkdir()
    frames, error = read_all(camera)
    assert error is None
    assert [frame.pixels is None for frame in frames] == [False, True, True, True, False]
    assert ["pipe, socket or device" in frame.fault for frame in frames[1:3]] == [True, True]


def test_a_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="no images in"):
        open_camera(str(tmp_path))


def test_one_image_is_a_stream_of_one_frame(tmp_path):
    cv2.imwrite(str(tmp_path / "part.png"), image(0))
    frames, error = read_all(open_camera(str(tmp_path / "part.png")))
    assert error is None
    assert [frame.name for frame in frames] == ["part.png"]


@pytest.mark.parametrize("source", ["nothing/there.avi", "", "camera one"])
def test_a_source_that_is_not_there(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "..")
    if source == "":
        source = str(tmp_path / "none")
    with pytest.raises(InputError) as caught:
        open_camera(source)
    assert "no such file, folder or device" in caught.value.problem
    assert "--camera demo" in caught.value.hint


def test_a_camera_that_is_not_there_names_what_was_tried():
    with pytest.raises(InputError) as caught:
        open_camera("97")
    assert "camera 97" in caught.value.problem
    assert "OpenCV" in caught.value.problem
    assert "video file" in caught.value.hint
    assert "--camera demo" in caught.value.hint
    with pytest.raises(InputError, match="sets its own frame rate"):
        open_camera("97", fps=10)


def test_the_demo_line_knows_the_truth():
    camera = open_camera("demo", fps=1000)
    assert camera.live
    frame = camera.read()
    assert frame is not None
    assert frame.pixels is not None
    assert frame.truth
    camera.close()


class FakeDriver:
    """A driver that delivers `frames` frames and then none."""

    def __init__(self, frames: int, *, opens: bool = True, decodes: bool = True) -> None:
        self.left = frames
        self.opens = opens
        self.decodes = decodes
        self.released = 0

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opens

    def grab(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        return (True, image(self.left)) if self.decodes else (False, None)

    def release(self) -> None:
        self.released += 1


def drivers(*made: FakeDriver):
    waiting = list(made)
    return lambda source: waiting.pop(0) if waiting else FakeDriver(0, opens=False)


@pytest.fixture
def short_pauses(monkeypatch):
    monkeypatch.setattr("runtime.camera.live.backoff.FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("runtime.camera.live.backoff.LONGEST_PAUSE_S", 0.001)


def test_a_live_camera_that_stops_is_opened_again_and_said(short_pauses):
    said: list[str] = []
    first, dead, mute, second = (
        FakeDriver(3),
        FakeDriver(0, opens=False),
        FakeDriver(0),
        FakeDriver(2),
    )
    camera = DeviceCamera(
        0, report=said.append, opener=drivers(first, dead, mute, second), give_up_after=1.0
    )
    frames, error = read_all(camera)
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    assert first.released
    assert dead.released
    assert mute.released
    assert "stopped after frame 2" in said[0]
    assert "is back" in said[1]
    assert error is not None
    assert "did not recover" in error.problem


def test_a_frame_that_the_driver_cannot_decode_is_a_fault(short_pauses):
    camera = DeviceCamera(0, opener=drivers(FakeDriver(1, decodes=False)), give_up_after=0.01)
    frames, _ = read_all(camera)
    assert frames[0].pixels is None
    assert "cannot be decoded" in frames[0].fault


def test_closing_ends_the_wait_for_a_lost_camera():
    lost = threading.Event()
    camera = DeviceCamera(0, opener=drivers(FakeDriver(0)), report=lambda _: lost.set())
    answers: list[Frame | None] = []
    reader = threading.Thread(target=lambda: answers.append(camera.read()))
    reader.start()
    assert lost.wait(10)
    camera.close()
    reader.join(10)
    assert answers == [None]


def test_a_paced_file_is_live_and_closing_ends_its_wait(tmp_path):
    cv2.imwrite(str(tmp_path / "a_1.png"), image(0))
    cv2.imwrite(str(tmp_path / "a_2.png"), image(1))
    camera = PacedCamera(open_camera(str(tmp_path)), fps=0.001)
    assert camera.live
    assert camera.read() is not None
    answers: list[Frame | None] = []
    reader = threading.Thread(target=lambda: answers.append(camera.read()))
    reader.start()
    camera.close()
    reader.join(10)
    assert answers == [None]
    frames, _ = read_all(open_camera(str(tmp_path), fps=10_000))
    assert len(frames) == 2
