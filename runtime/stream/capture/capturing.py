"""Capture of a stream's frames: each with its deadline and its judges, into the queue."""

from __future__ import annotations

import time

from runtime.camera.base import Camera, Frame
from runtime.stream.capture.handover import Handover, Ticket
from runtime.stream.ledger import Ledger
from runtime.stream.recipes.judges import Timetable
from runtime.stream.watchdog import Watchdog

LIVE_DEPTH = 32
"""Frames that may wait with `every_frame` on a live camera, for the line does not."""

STORED_DEPTH = 3
"""Frames that may wait for each of several workers where the camera waits for the line."""

BROKEN_DEPTH = 32
"""Broken frames that may wait for their verdict with `latest`."""


class CaptureLoop:
    """Reading of one camera, in a thread of its own.

    Args:
        camera: where frames come from.
        ledger: counts them.
        timetable: tells who judges a frame.
        handover: takes them.
        frames: read no more than so many; None for all there are.
        watchdog: told of each frame; None where none has a deadline.
        budget_ns: of a frame, from the begin of its capture to its verdict; None without one.

    Attributes:
        budget_ns: as above, for the next frame.
        last_frame: the latest frame with pixels; None before the first.
    """

    def __init__(
        self,
        camera: Camera,
        ledger: Ledger,
        timetable: Timetable,
        handover: Handover,
        *,
        frames: int | None,
        watchdog: Watchdog | None,
        budget_ns: int | None,
    ) -> None:
        self._camera = camera
        self._ledger = ledger
        self._timetable = timetable
        self._handover = handover
        self._frames = frames
        self._watchdog = watchdog
        self.budget_ns = budget_ns
        self.last_frame: Frame | None = None

    def run(self) -> None:
        """Read frames until there are no more, nobody wants them, or the camera raises."""
        captured = 0
        try:
            while self._frames is None or captured < self._frames:
                health = self._timetable.now.health
                if health is not None and self._camera.live and self._handover.full:
                    health.overrun()
                if not self._handover.wait_for_room():
                    return
                frame = self._camera.read()
                if frame is None or not self._ledger.accept():
                    return
                captured += 1
                self._hand_over(frame)
        finally:
            self._handover.close()

    def _hand_over(self, frame: Frame) -> None:
        deadline = None if self.budget_ns is None else frame.start_ns + self.budget_ns
        judges = self._timetable.enter(frame.start_ns)
        health, checked = judges.health, None
        if health is not None:
            frame, checked = health.check(frame), time.monotonic_ns()
        if frame.pixels is not None:
            self.last_frame = frame
        ticket = Ticket(frame, deadline, checked, judges)
        for displaced in self._handover.put(ticket):
            if displaced.claim():
                self._ledger.drop()
                if health is not None:
                    health.overrun()
            displaced.leave()
        if self._watchdog is not None:
            self._watchdog.watch(ticket)


def handover_for(*, every_frame: bool, live: bool, hurried: bool, workers: int) -> Handover:
    """Return a queue of the depth that suits a stream.

    Args:
        every_frame: judge all frames; False: the newest frame wins.
        live: the camera does not wait for the line.
        hurried: frames have a deadline, before which they must not grow old.
        workers: frames that are judged at the same time.
    """
    if not every_frame:
        return Handover(depth=BROKEN_DEPTH, newest=True)
    if live:
        return Handover(depth=LIVE_DEPTH, newest=False)
    # More of them keep workers busy while the thread that captures waits for a core.
    return Handover(
        depth=workers if hurried or workers == 1 else STORED_DEPTH * workers, newest=False
    )
