"""One connection to a GenICam camera: waiting, triggers, and what did not come whole."""

from __future__ import annotations

import threading
import time

from runtime.camera.genicam.device import Delivery, Device, SettingError
from runtime.camera.genicam.formats import format_of, image_of
from runtime.camera.genicam.frame_ids import FrameIds
from runtime.camera.genicam.tally import Tally
from runtime.camera.live.feed import Feed, FeedLost, FramePixels, MissedTrigger
from runtime.errors import FrameError

SOFTWARE, LINE, EXTERNAL = "software", "line", "external"
TRIGGERS = (SOFTWARE, LINE, EXTERNAL)

LOST_FRAMES = "lost_frames"
INCOMPLETE = "incomplete_frames"
FIRED = "triggers"
MISSED = "missed_triggers"
UNASKED = "unasked_frames"

MOST_OWED = 100
"""Missed triggers in a row that each get a fault; more are counted only."""

MISSED_IN_A_ROW = 3
"""Software triggers without a frame after which the camera is opened again."""

_SLICE_S = 0.2


class GenicamFeed(Feed):
    """Takes frames from a device that delivers.

    Args:
        device: is closed with the feed.
        tally: where frames and triggers are counted.
        limit_s: seconds without a frame after which a camera is lost, where one is due.
        trigger: `software`, `line` or `external`; None for a camera that runs freely.
        fps: software triggers per second; as fast as frames come without it.
    """

    def __init__(
        self,
        device: Device,
        tally: Tally,
        *,
        limit_s: float,
        trigger: str | None = None,
        fps: float | None = None,
    ) -> None:
        self._device = device
        self._tally = tally
        self._limit_s = limit_s
        self._trigger = trigger
        self._every_s = 0.0 if fps is None else 1 / fps
        self._due = time.monotonic()
        self._woken = threading.Event()
        self._ids = FrameIds()
        self._delivery: Delivery | None = None
        self._held: Delivery | None = None
        self._owed = self._in_a_row = 0
        tally.follow(device.counters)

    def grab(self) -> None:
        """Wait for the next frame, or for what stands in for one that did not come.

        Raises:
            FeedLost: the camera is gone, or sent nothing for too long.
        """
        self._delivery = None
        if self._owed:
            self._owed -= 1
        elif self._held is not None:
            self._delivery, self._held = self._held, None
        elif self._trigger == SOFTWARE:
            self._fire()
        else:
            self._wait_for_next()
        self.device_ns = None if self._delivery is None else self._delivery.device_ns

    def retrieve(self) -> FramePixels:
        """Return the frame's pixels.

        Raises:
            FrameError: it is not whole.
            MissedTrigger: there was none to a trigger.
        """
        delivery = self._delivery
        if delivery is None:
            raise MissedTrigger("no frame came to its trigger")
        if delivery.problem:
            self._tally.count(INCOMPLETE)
            raise FrameError(delivery.problem)
        found = format_of(delivery.pixel_format)
        self.bits = found.bits if found.bits > 8 else None
        return image_of(delivery.data, found, delivery.height, delivery.width, delivery.padding)

    def wake(self) -> None:
        """End a wait in another thread."""
        self._woken.set()

    def close(self) -> None:
        """Give the camera back; what it counted stays."""
        self._tally.settle()
        self._device.close()

    def _wait_for_next(self) -> None:
        silent = self._trigger is not None  # no frame is normal while no part comes
        delivery = self._wait(None if silent else self._limit_s)
        if delivery is None:
            raise FeedLost(f"no frame for {self._limit_s:.1f} s", stalled=True)
        gap = self._gap(delivery)
        if silent:
            self._tally.count(FIRED, gap + 1)
        if gap and silent:
            self._tally.count(MISSED, gap)
            self._owed, self._held = min(gap, MOST_OWED) - 1, delivery
        else:
            self._tally.count(LOST_FRAMES, gap)
            self._delivery = delivery

    def _fire(self) -> None:
        """Fire the trigger, at its time, and wait for its frame."""
        if self._woken.wait(max(0.0, self._due - time.monotonic())):
            raise FeedLost("it is being closed")
        self._due = max(self._due + self._every_s, time.monotonic())
        while (late := self._device.fetch(0.0)) is not None:
            self._gap(late)
            self._tally.count(UNASKED)  # it came too late for its trigger, or without one
        try:
            self._device.fire()
        except SettingError as error:
            raise FeedLost(str(error)) from error
        self._tally.count(FIRED)
        self._delivery = self._wait(self._limit_s)
        if self._delivery is not None:
            self._in_a_row = 0
            self._gap(self._delivery)
            return
        self._tally.count(MISSED)
        self._in_a_row += 1
        if self._in_a_row == MISSED_IN_A_ROW:
            raise FeedLost(f"no frame came to {MISSED_IN_A_ROW} triggers", stalled=True)

    def _gap(self, delivery: Delivery) -> int:
        return 0 if delivery.frame_id is None else self._ids.gap(delivery.frame_id)

    def _wait(self, limit_s: float | None) -> Delivery | None:
        """The next buffer; None when the time is up."""
        end = None if limit_s is None else time.monotonic() + limit_s
        while True:
            left = _SLICE_S if end is None else min(_SLICE_S, end - time.monotonic())
            delivery = self._device.fetch(max(0.0, left))
            if delivery is not None:
                return delivery
            if self._woken.is_set():
                raise FeedLost("it is being closed")
            if self._device.lost:
                raise FeedLost("it no longer answers")
            if end is not None and time.monotonic() >= end:
                return None
