"""Images of the live page: every form that a camera has, as JPEG of bounded size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime.serving.live.album import RECENT, Album
from runtime.serving.live.images import LONGEST_SHOWN, MOST_OF_THUMBNAIL, MOST_SHOWN, encoded
from runtime.serving.live.state import LineState, Sent, Told
from tests.runtime.serving.lines import camera_state, seen


def decoded(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return np.asarray(image)


@pytest.mark.parametrize(
    ("shape", "dtype", "bits"),
    [
        ((40, 60), np.uint8, None),
        ((40, 60, 1), np.uint8, None),
        ((40, 60, 3), np.uint8, None),
        ((40, 60, 4), np.uint8, None),
        ((40, 60), np.uint16, 12),
        ((40, 60, 3), np.uint16, None),
        ((1, 1), np.uint8, None),
        ((2000, 1000), np.uint8, None),
        ((16, 16000), np.uint8, None),
        ((16000, 16, 3), np.uint8, None),
    ],
)
def test_every_form_becomes_a_small_jpeg(shape, dtype, bits):
    made = encoded(np.full(shape, 100, dtype), bits)
    image, small = decoded(made.image), decoded(made.thumbnail)
    for found, most in ((image, MOST_SHOWN), (small, MOST_OF_THUMBNAIL)):
        assert found.shape[0] * found.shape[1] <= most
        assert max(found.shape[:2]) <= LONGEST_SHOWN
        assert (found.ndim == 3) == (len(shape) == 3 and shape[2] > 1)


def test_colours_and_depth_are_kept():
    blue = np.zeros((40, 60, 3), np.uint8)
    blue[:, :, 0] = 200
    shown = decoded(encoded(blue, None).image)[20, 30].astype(int)
    assert shown.tolist() == pytest.approx([200, 0, 0], abs=4)
    deep = np.full((40, 60), 2048, np.uint16)
    assert int(decoded(encoded(deep, 12).image)[0, 0]) == pytest.approx(128, abs=1)
    # A value beyond the depth that was told is shown all the same.
    assert int(decoded(encoded(deep, 10).image)[0, 0]) == pytest.approx(128, abs=1)


def told(frames: list[int], listed: tuple[int, ...], data: np.ndarray) -> Told:
    images = tuple(
        Sent(camera="", frame=frame, shape=data.shape, dtype=str(data.dtype), bits=None)
        for frame in frames
    )
    camera = camera_state(
        newest=seen(frames[-1]), rejects=tuple(seen(frame, "reject") for frame in listed)
    )
    state = LineState(
        title="", model="", lot="", started="", cameras=(camera,), sinks=(), parts=None, ended=False
    )
    return Told(state=state, images=images, heat_maps={"": {1: "/maps/1.jpg"}})


def test_the_album_forgets_but_for_what_is_listed():
    album, data = Album(), np.full((40, 60), 100, np.uint8)
    for first in range(0, 200, 10):
        frames = list(range(first, first + 10))
        album.add(told(frames, (3,), data), [bytearray(data.tobytes())] * 10)
    assert len(album.held[""]) == RECENT + 1
    assert album.image(0, 3) is not None
    assert album.image(0, 4) is None
    assert album.image(0, 199) is not None
    assert album.line is not None
    (camera,) = album.line.cameras
    assert camera.newest is not None
    assert camera.newest.image
    assert camera.rejects[0].image


def test_places_that_do_not_exist_are_empty():
    album, data = Album(), np.full((40, 60), 100, np.uint8)
    assert album.image(0, 0) is None
    assert album.heat_map(0, 1) is None
    album.add(told([0], (), data), [bytearray(data.tobytes())])
    assert album.image(1, 0) is None
    assert album.heat_map(0, 1) == "/maps/1.jpg"
    assert album.heat_map(0, 2) is None
    assert album.heat_map(7, 1) is None


@pytest.mark.parametrize("dtype", ["float32", "nonsense", "uint8"])
def test_an_image_that_cannot_be_shown_ends_nothing(dtype):
    album = Album()
    message = told([5], (), np.zeros((40, 60), np.uint8))
    sent = Sent(camera="", frame=5, shape=(40, 60), dtype=dtype, bits=None)
    message = Told(state=message.state, images=(sent,), heat_maps={})
    album.add(message, [bytearray(10)])
    assert album.image(0, 5) is None
    assert album.line is not None
    assert album.line.cameras[0].newest is not None
    assert not album.line.cameras[0].newest.image
    assert album.held == {"": [5]}  # it is not asked for again
