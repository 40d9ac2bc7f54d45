"""Outages of a camera beside the faults that were counted of its frames."""

from __future__ import annotations

from runtime.camera.base import Camera, Frame
from runtime.stream.health import with_outages


class Reconnecting(Camera):
    name, live, reconnects = "camera 1", True, True
    losses, stalls, overtaken = 3, 2, 5

    def read(self) -> Frame | None:
        return None


class Line(Reconnecting):
    reconnects = False
    overtaken = 0


def test_outages_are_among_the_faults():
    counted = {"dark": 1, "overrun": 4}
    expected = {"dark": 1, "overrun": 9, "lost": 3, "stalled": 2}
    assert with_outages(counted, Reconnecting()) == expected
    assert counted == {"dark": 1, "overrun": 4}


def test_outages_are_counted_where_nobody_looks_at_frames():
    assert with_outages({}, Reconnecting()) == {"lost": 3, "stalled": 2}


def test_a_camera_that_cannot_be_lost_has_none():
    assert with_outages({"overrun": 4}, Line()) == {"overrun": 4}
