"""GStreamer pipelines against the system's GStreamer."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from runtime.camera import Camera, Frame, open_camera
from runtime.errors import InputError

pytestmark = pytest.mark.usefixtures("gi_importable")

LIVE = "videotestsrc is-live=true"
SIZE = "width=66,height=50"  # no multiple of 4: rows are padded


def drawn(pattern: str, form: str, count: int) -> str:
    """A stored pipeline, from colours: of YUV, videoconvert makes gray with video's levels."""
    colour = f"videotestsrc num-buffers={count} pattern={pattern} ! video/x-raw,format=BGR,{SIZE}"
    return f"{colour} ! videoconvert ! video/x-raw,format={form} ! appsink"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch) -> None:
    monkeypatch.setattr("runtime.camera.live.backoff.FIRST_PAUSE_S", 0.001)


def read_all(camera: Camera) -> list[Frame]:
    with camera:
        return list(iter(camera.read, None))


def refusal(pipeline: str) -> str:
    with pytest.raises(InputError) as caught:
        open_camera(pipeline)
    assert caught.value.code == "camera-unavailable"
    return str(caught.value)


@pytest.mark.parametrize("form", ["GRAY8", "I420", "NV12", "YUY2", "UYVY", "BGR", "BGRx", "BGRA"])
@pytest.mark.parametrize(("pattern", "level"), [("white", 255), ("black", 0)])
def test_white_is_white_and_black_is_black_in_every_format(form, pattern, level):
    frames = read_all(open_camera(drawn(pattern, form, 3)))
    assert [frame.number for frame in frames] == [0, 1, 2]
    for frame in frames:
        assert frame.pixels is not None
        assert frame.pixels.shape[:2] == (50, 66)
        assert frame.pixels.dtype == np.uint8
        assert set(np.unique(frame.pixels)) == {level}


def test_the_formats_show_one_image():
    """A gradient, bar by bar: each format within what its colour's rounding costs."""
    shown = {}
    for form in ("GRAY8", "I420", "NV12", "YUY2", "UYVY"):
        (frame,) = read_all(open_camera(drawn("smpte75", form, 1)))
        assert frame.pixels is not None
        shown[form] = frame.pixels.astype(int)[:30, 4::9]
    for pixels in shown.values():
        assert np.abs(pixels - shown["I420"]).max() <= 2


def test_gray_of_16_bits_keeps_them():
    (frame,) = read_all(open_camera(drawn("smpte75", "GRAY16_LE", 1)))
    assert frame.pixels is not None
    assert frame.pixels.dtype == np.uint16
    assert len(np.unique(frame.pixels)) > 4
    assert frame.pixels.max() > 40_000


def test_jpegs_of_a_pipeline_go_through_the_decoder_of_training():
    frames = read_all(open_camera("videotestsrc num-buffers=2 ! jpegenc ! appsink"))
    assert all(frame.pixels is not None and frame.pixels.ndim == 2 for frame in frames)
    broken = "fakesrc num-buffers=2 filltype=zero sizetype=fixed sizemax=9 ! image/jpeg ! appsink"
    frames = read_all(open_camera(broken))
    assert len(frames) == 2
    assert all(frame.pixels is None and frame.fault for frame in frames)


def test_what_is_stored_waits_and_ends_and_what_is_live_does_not():
    stored = open_camera(f"videotestsrc num-buffers=20 ! video/x-raw,{SIZE} ! appsink")
    assert not stored.live
    assert len(read_all(stored)) == 20
    with open_camera(f"{LIVE} ! video/x-raw,{SIZE} ! appsink") as live:
        assert live.live
        assert live.read() is not None


def test_settings_in_the_pipeline_win():
    frames = read_all(
        open_camera(f"videotestsrc num-buffers=9 ! video/x-raw,{SIZE} ! appsink drop=true")
    )
    assert 1 <= len(frames) <= 9


def test_an_element_that_fails_in_service_is_a_loss_and_the_pipeline_starts_again():
    said: list[str] = []
    failing = f"{LIVE} ! identity error-after=3 name=cable ! appsink"
    with open_camera(failing, report=said.append) as camera:
        for number in range(4):
            frame = camera.read()
            assert frame is not None
            assert frame.number == number
        assert camera.losses >= 1
    assert "its element cable failed: Failed after iterations as requested" in said[0]
    assert "is back after" in said[1]


def test_the_end_of_a_live_pipeline_is_a_loss():
    with open_camera(f"{LIVE} num-buffers=2 ! appsink") as camera:
        for _ in range(4):
            assert camera.read() is not None
        assert camera.losses >= 1


def test_an_element_that_fails_in_what_is_stored_ends_it():
    camera = open_camera("videotestsrc ! identity error-after=3 ! appsink")
    with pytest.raises(InputError, match="broke off after frame"):
        read_all(camera)


def test_a_pipeline_without_frames_has_stalled(monkeypatch):
    monkeypatch.setattr("runtime.camera.gstreamer.feed.READ_TIMEOUT_S", 0.6)
    with open_camera(f"{LIVE} ! video/x-raw,framerate=1/60 ! appsink") as camera:
        assert camera.read() is not None
        assert camera.read() is not None
        assert (camera.losses, camera.stalls) == (0, 1)


def test_closing_ends_the_wait_for_a_frame_and_its_thread():
    camera = open_camera(f"{LIVE} ! video/x-raw,framerate=1/60 ! appsink")
    assert camera.read() is not None
    answers: list[Frame | None] = []
    reader = threading.Thread(target=lambda: answers.append(camera.read()))
    reader.start()
    camera.close()
    reader.join(10)
    assert answers == [None]
    assert not [thread for thread in threading.enumerate() if thread.name == "camera"]


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        ("nonsense ! appsink", "GStreamer has no element 'nonsense'; check its spelling"),
        ("videotestsrc ! ! appsink", "the pipeline does not parse: syntax error"),
        ("videotestsrc colour=3 ! appsink", 'no property "colour" in element'),
        ("videotestsrc ! audioconvert ! appsink", "could not link"),
        ("videotestsrc ! fakesink", "has no appsink; end it in one"),
        ("videotestsrc ! appsink videotestsrc ! appsink", "has 2 appsinks"),
        ("videotestsrc ! video/x-raw,format=RGB ! appsink", "put videoconvert before appsink"),
        ("videotestsrc num-buffers=0 ! appsink", "ended without a frame"),
        ("filesrc location=/nowhere.ts ! decodebin ! appsink", 'No such file "/nowhere.ts"'),
        (
            "rtspsrc location=rtsp://admin:geheim@127.0.0.1:1/x ! decodebin ! appsink",
            "Could not open resource",
        ),
    ],
)
def test_a_pipeline_that_cannot_run_is_one_line(pipeline, words):
    message = refusal(pipeline)
    assert words in message
    assert "\n" not in message
    assert "geheim" not in message


def test_a_pipeline_that_never_gives_a_frame_is_one_line(monkeypatch):
    monkeypatch.setattr("runtime.camera.gstreamer.feed.OPEN_TIMEOUT_S", 0.6)
    assert "no frame for 0.6 s" in refusal(f"{LIVE} ! valve drop=true ! appsink")


def test_a_jetson_camera_elsewhere_is_told_of_jetpack():
    message = refusal("csi:0")
    assert "camera csi:0: GStreamer has no element 'nvarguscamerasrc'" in message
    assert "come with JetPack" in message
