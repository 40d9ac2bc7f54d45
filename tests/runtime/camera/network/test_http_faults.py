"""A thousand frames over HTTP with faults of every kind, counted one by one."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from runtime.camera import open_camera
from runtime.image.decode import decode_gray
from tests.runtime.camera.network.raw_server import HEAD, misbehaving, part
from tests.runtime.camera.network.test_multipart import JPEGS

FRAMES = 1000
FAULTS = {"truncated": 30, "damaged": 30, "text": 20, "empty": 20, "half": 15, "close": 15}
STALLS = 4


def script() -> list[str]:
    """What happens, in an order that is drawn.

    A whole image comes after every outage: two without a frame between them are one.
    """
    kinds = [kind for kind, count in FAULTS.items() for _ in range(count)]
    kinds += ["stall"] * STALLS
    kinds += ["whole"] * (FRAMES - len(kinds))
    Random(7).shuffle(kinds)
    after = {kind: ["whole"] for kind in ("half", "close", "stall")}
    return ["whole", *(step for kind in kinds for step in (kind, *after.get(kind, [])))]


@pytest.fixture(autouse=True)
def short_times(monkeypatch) -> None:
    monkeypatch.setattr("runtime.camera.live.backoff.FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("runtime.camera.network.web.READ_TIMEOUT_S", 0.6)
    # The server sends without a pause, and every image counts.
    monkeypatch.setattr("runtime.camera.network.motion_jpeg.MOST_WAITING", FRAMES)


def test_every_fault_of_a_thousand_frames_is_counted_once():
    image = JPEGS[1]
    sent = {
        "whole": part(image),
        "truncated": part(image[: len(image) // 2]),
        "damaged": part(image[:20] + b"\xff\xd9" + image[22:]),
        "text": part(b"no signal", b"text/plain"),
        "empty": part(b""),
    }
    steps: Iterator[str] = iter(script())

    def behave(link: socket.socket) -> None:
        link.sendall(HEAD)
        for step in steps:
            if step in sent:
                link.sendall(sent[step])
            elif step == "half":  # the connection breaks within an image
                link.sendall(sent["whole"][: -len(image) // 2])
                return
            elif step == "close":
                return
            else:
                link.recv(1)  # nothing comes until the other side gives it up
                return
        link.recv(1)

    expected = Counter(script())
    faulty = sum(expected[kind] for kind in ("truncated", "damaged", "text", "empty", "half"))
    faults: Counter[str] = Counter()
    pixels = decode_gray(image)
    with (
        misbehaving(behave) as server,
        open_camera(f"http://{server.at}/", give_up_after=10) as camera,
    ):
        for number in range(expected["whole"] + faulty):
            frame = camera.read()
            assert frame is not None
            assert frame.number == number
            if frame.pixels is None:
                faults[frame.fault.rpartition(", frame ")[2].partition(": ")[2][:14]] += 1
            else:
                np.testing.assert_array_equal(frame.pixels, pixels)
        assert sum(faults.values()) == faulty
        assert faults["the part is no"] == expected["text"]
        assert faults["the part is em"] == expected["empty"]
        assert camera.losses == expected["half"] + expected["close"]
        assert camera.stalls == expected["stall"]
        assert camera.overtaken == 0
