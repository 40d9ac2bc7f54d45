"""A thread that opens and reads a camera, and can be left behind.

A driver's read may never return, and no thread can be ended from outside. So whoever wants a frame
does not read: it asks this thread, and waits for so long. A thread that does not answer is left
to itself; should its read return one day, it closes what it opened and ends.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from runtime.camera.live.delay import DelayWatch
from runtime.camera.live.feed import Feed, FeedEnded, FeedLost, FramePixels, MissedTrigger, OpenFeed
from runtime.errors import FrameError


@dataclass(frozen=True)
class Arrival:
    """One frame as it arrived; see `runtime.camera.base.Frame`."""

    pixels: FramePixels | None
    fault: str
    start_ns: int
    ready_ns: int
    bits: int | None
    overtaken: int = 0
    device_ns: int | None = None
    missed: bool = False
    delay_ns: int | None = None


class Reader:
    """Reads one connection in a thread of its own, a frame each time it is asked.

    Nothing is read ahead: what waits in the driver is the driver's to drop.

    Args:
        open_feed: opens the connection; called in the thread.
    """

    def __init__(self, open_feed: OpenFeed) -> None:
        self._open = open_feed
        self._feed: Feed | None = None
        self._delays = DelayWatch()
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._answers: SimpleQueue[Feed | Arrival | BaseException] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="camera", daemon=True)
        self._thread.start()

    def opened(self, limit_s: float) -> Feed:
        """Wait for the opening.

        Raises:
            CannotOpen: it failed.
            FeedLost: it took longer than `limit_s`.
            FeedEnded: somebody called `end_wait`.
        """
        answer = self._wait(limit_s, "it did not open")
        assert isinstance(answer, Feed)
        return answer

    def take(self, limit_s: float) -> Arrival:
        """Wait for the next frame.

        Raises:
            FeedLost: the camera is gone, or did not answer within `limit_s`.
            FeedEnded: the source ended, or somebody called `end_wait`.
        """
        self._asked.put(True)
        answer = self._wait(limit_s, "a read did not return")
        assert isinstance(answer, Arrival)
        return answer

    def end_wait(self) -> None:
        """Make `opened` or `take` in another thread end. The reader is of no more use then."""
        self._answers.put(FeedEnded())

    def leave(self, patience_s: float) -> bool:
        """Let the thread close its connection and end; False where it hangs."""
        self._asked.put(False)
        if self._feed is not None:
            self._feed.wake()
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    @property
    def hangs(self) -> bool:
        """Whether the thread still is there."""
        return self._thread.is_alive()

    def _wait(self, limit_s: float, what: str) -> Feed | Arrival:
        try:
            answer = self._answers.get(timeout=max(0.0, limit_s))
        except Empty:
            raise FeedLost(f"{what} within {limit_s:.3g} s", stalled=True) from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _work(self) -> None:
        try:
            feed = self._feed = self._open()
        except BaseException as error:  # told where the answer is waited for
            self._answers.put(error)
            return
        self._answers.put(feed)
        try:
            while self._asked.get():
                self._answers.put(_arrival(feed, self._delays))
        except BaseException as error:
            self._answers.put(error)
        finally:
            feed.close()


def _arrival(feed: Feed, delays: DelayWatch) -> Arrival:
    feed.grab()
    start_ns = time.monotonic_ns()
    delay_ns = feed.delay_ns
    if feed.device_ns is not None:
        delay_ns = delays.delay_ns(feed.device_ns, start_ns)
    pixels, fault, missed = None, "", False
    try:
        pixels = feed.retrieve()
    except FrameError as error:
        fault, missed = str(error), isinstance(error, MissedTrigger)
    return Arrival(
        pixels,
        fault,
        start_ns,
        time.monotonic_ns(),
        feed.bits,
        overtaken=feed.overtaken,
        device_ns=feed.device_ns,
        missed=missed,
        delay_ns=delay_ns,
    )
