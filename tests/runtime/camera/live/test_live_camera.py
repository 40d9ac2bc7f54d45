"""A camera that is lost: opened again, counted, given up; and reads that never return."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random

import numpy as np
import pytest

from runtime.camera import open_camera
from runtime.camera.live import backoff
from runtime.camera.live.backoff import pauses
from runtime.camera.live.camera import MOST_ABANDONED, LiveCamera
from runtime.camera.live.feed import (
    CannotOpen,
    Feed,
    FeedEnded,
    FeedLost,
    FramePixels,
    StreamFault,
)
from runtime.errors import EquipmentError, FrameError, InputError


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch) -> None:
    monkeypatch.setattr("runtime.camera.live.backoff.FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("runtime.camera.live.backoff.LONGEST_PAUSE_S", 0.002)
    monkeypatch.setattr("runtime.camera.live.camera._LEAVE_S", 0.01)


class Script(Feed):
    """A connection that does as it is told: a frame, a damaged one, or what is raised or called."""

    def __init__(self, *steps: str | Exception | Callable[[], object]) -> None:
        self._steps = iter(steps)
        self._step: object = ""
        self.closed = threading.Event()

    def grab(self) -> None:
        self._step = next(self._steps, FeedLost("the script ended"))
        if isinstance(self._step, Exception):
            raise self._step
        if callable(self._step):
            self._step()

    def retrieve(self) -> FramePixels:
        if self._step == "damaged":
            raise FrameError("it is damaged")
        return np.full((4, 6), 7, np.uint8)

    def close(self) -> None:
        self.closed.set()


def connections(*made: Feed | Exception) -> Callable[[], Feed]:
    waiting: Iterator[Feed | Exception] = iter(made)

    def open_feed() -> Feed:
        feed = next(waiting, CannotOpen())
        if isinstance(feed, Exception):
            raise feed
        return feed

    return open_feed


def faults(camera: LiveCamera, count: int) -> list[bool]:
    found = []
    for number in range(count):
        frame = camera.read()
        assert frame is not None
        assert frame.number == number
        found.append(frame.pixels is None)
    return found


def test_losses_and_stalls_are_counted_apart():
    said: list[str] = []
    camera = LiveCamera(
        "camera 1",
        connections(
            Script("frame", "damaged", FeedLost("a cable")),
            CannotOpen(StreamFault("nobody answers", "")),
            CannotOpen(StreamFault("nobody answers", "")),
            Script(FeedLost("mute")),
            Script("frame", FeedLost("no data", stalled=True)),
            Script("frame", "frame", FeedEnded()),
        ),
        report=said.append,
    )
    assert faults(camera, 5) == [False, True, False, False, False]
    assert camera.read() is None
    assert (camera.losses, camera.stalls) == (1, 1)
    assert said[:3] == [
        "camera 1 stopped after frame 1 (a cable); opening it again",
        "camera 1 is still away: nobody answers",
        "camera 1 is still away: mute",
    ]
    assert said[3].startswith("camera 1 is back after")
    assert said[4] == "camera 1 stalled after frame 2 (no data); opening it again"
    assert said[5].startswith("camera 1 is back after")
    assert said[5].endswith(" s in all)")
    assert "(outage 2, " in said[5]
    assert len(said) == 6
    camera.close()


def test_a_lost_camera_is_opened_again_for_ever():
    tries: list[int] = []

    def open_feed() -> Feed:
        tries.append(1)
        if len(tries) == 1:
            return Script("frame")
        if len(tries) < 300:
            raise CannotOpen
        return Script("frame")

    camera = LiveCamera("camera 1", open_feed)
    assert faults(camera, 2) == [False, False]
    assert len(tries) == 300
    assert camera.losses == 1
    camera.close()


def test_giving_up_is_equipment_and_its_seconds_go_on_counting():
    camera = LiveCamera("camera 1", connections(Script("frame")), give_up_after=0.3)
    camera.read()
    with pytest.raises(EquipmentError, match="stopped after frame 0 and did not recover"):
        camera.read()
    first = camera.seconds_lost
    assert 0.3 <= first <= camera.seconds_lost
    camera.close()


def test_a_read_that_never_returns_is_replaced_and_closes_what_it_holds_when_it_does():
    gate = threading.Event()
    stuck = Script("frame", gate.wait)
    said: list[str] = []
    camera = LiveCamera(
        "camera 1",
        connections(stuck, Script("frame", "frame")),
        report=said.append,
        read_limit_s=0.5,
    )
    assert faults(camera, 3) == [False] * 3
    assert (camera.losses, camera.stalls) == (0, 1)
    assert "a read did not return within 0.5 s" in said[0]
    assert not stuck.closed.is_set()
    gate.set()
    assert stuck.closed.wait(10)
    camera.close()


def test_threads_that_hang_are_bounded_and_one_that_comes_back_is_replaced():
    gate = threading.Event()
    stuck = [Script(gate.wait) for _ in range(MOST_ABANDONED)]
    opened: list[Feed] = []
    said: list[str] = []

    def report(line: str) -> None:
        said.append(line)
        if "never returned" in line:
            assert len(opened) == 1 + MOST_ABANDONED
            gate.set()

    waiting: list[Feed] = [Script("frame"), *stuck, Script("frame")]

    def open_feed() -> Feed:
        opened.append(waiting.pop(0))
        return opened[-1]

    camera = LiveCamera("camera 1", open_feed, report=report, read_limit_s=0.4)
    assert faults(camera, 2) == [False, False]
    told = [line for line in said if f"{MOST_ABANDONED} reads of its driver never returned" in line]
    assert len(told) == 1
    assert all(feed.closed.wait(10) for feed in stuck)
    camera.close()


def test_an_opening_that_never_returns_is_left_behind(monkeypatch):
    monkeypatch.setattr("runtime.camera.live.camera.OPEN_LIMIT_S", 0.5)
    gate = threading.Event()

    def hang() -> Feed:
        gate.wait()
        return Script("frame")

    with pytest.raises(InputError, match=r"did not open within 0\.5 s"):
        LiveCamera("camera 1", hang)
    ways = iter([lambda: Script("frame"), hang, lambda: Script("frame")])
    camera = LiveCamera("camera 1", lambda: next(ways)())
    assert faults(camera, 2) == [False, False]
    camera.close()
    gate.set()


def test_closing_ends_a_read_that_never_returns():
    gate, reading = threading.Event(), threading.Event()

    def hang() -> None:
        reading.set()
        gate.wait()

    camera = LiveCamera("camera 1", connections(Script(hang)))
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(camera.read()))
    thread.start()
    assert reading.wait(10)
    camera.close()
    thread.join(10)
    assert answers == [None]
    gate.set()


def test_what_a_driver_raises_by_mistake_is_not_swallowed():
    camera = LiveCamera("camera 1", connections(Script(ZeroDivisionError())))
    with pytest.raises(ZeroDivisionError):
        camera.read()
    camera.close()


def test_no_password_is_told():
    said: list[str] = []
    camera = LiveCamera(
        "camera 1",
        connections(Script("frame", FeedLost("rtsp://admin:geheim@box")), Script("frame")),
        report=said.append,
    )
    faults(camera, 2)
    assert "rtsp://admin:***@box" in said[0]
    camera.close()


def test_pauses_grow_to_a_bound_and_spread(monkeypatch):
    monkeypatch.undo()
    found = list(islice(pauses(Random(1)), 400))
    least, most = 1 - backoff.SPREAD, 1 + backoff.SPREAD
    for number, pause in enumerate(found):
        middle = min(backoff.FIRST_PAUSE_S * 2**number, backoff.LONGEST_PAUSE_S)
        assert least * middle <= pause <= most * middle
    assert len(set(found)) == 400
    # The camera is to be found within two seconds of its return.
    assert most * backoff.LONGEST_PAUSE_S < 2


def test_giving_up_is_for_what_can_be_lost(tmp_path):
    for source in ("demo", str(tmp_path)):
        (tmp_path / "a.pgm").write_bytes(b"P5 2 2 255\n" + bytes(4))
        with pytest.raises(InputError, match="is never opened again"):
            open_camera(source, give_up_after=5)
