"""A live camera through OpenCV: a video device, or an address that FFmpeg reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import cv2

from runtime.camera.base import Camera, CameraRequest, as_pixels
from runtime.camera.capture import READ_TIMEOUT_MS, encoded_jpeg, open_capture, why_not
from runtime.camera.device_settings import DeviceSetup
from runtime.camera.live.camera import LiveCamera
from runtime.camera.live.delay import DelayWatch
from runtime.camera.live.feed import CannotOpen, Feed, FeedLost, FramePixels
from runtime.errors import FrameError
from runtime.image.decode import decode_gray
from runtime.progress import Say
from runtime.secrets import redact

Opener = Callable[[int | str], Any]

MOST_BEHIND_NS = 1_000_000_000
"""Delay from which frames of a network camera are passed over: they pile up behind the consumer."""

CAUGHT_UP_NS = 250_000_000
"""Delay at which they are taken again."""

CATCH_UP_S = 2.0
"""Seconds for which they may be passed over at a time; what comes then is taken, however old."""

# OpenCV says only that no frame came. After this share of its time-out, it was that.
_STALLED = 0.9


class DeviceCamera(LiveCamera):
    """Live camera that OpenCV reads.

    Args:
        source: the index or the node of a video device, or an address.
        report, give_up_after, may_end: see `LiveCamera`.
        settings: value by feature, of a video device.
        opener: makes the capture; tests hand in their own.

    Raises:
        InputError: it cannot be opened.
    """

    def __init__(
        self,
        source: int | str,
        *,
        report: Say = lambda text: None,
        settings: Mapping[str, str] = MappingProxyType({}),
        opener: Opener | None = None,
        give_up_after: float | None = None,
        may_end: bool = False,
    ) -> None:
        self._setup = DeviceSetup(settings, report)
        open_source = opener or partial(open_capture, prepare=self._setup.apply)

        def open_feed() -> Feed:
            capture = open_source(source)
            if not capture.isOpened():
                capture.release()
                raise CannotOpen
            return OpenCVFeed(capture)

        super().__init__(
            f"camera {redact(str(source))}",
            open_feed,
            report=report,
            give_up_after=give_up_after,
            why=lambda: why_not(source),
            may_end=may_end,
        )
        self.notes = tuple(self._setup.remarks)

    @property
    def settings(self) -> Mapping[str, str]:
        """Return what a device had when it was first opened, as far as it tells."""
        return self._setup.settings


class OpenCVFeed(Feed):
    """Connection that an OpenCV capture holds.

    A server sends on while nobody reads, and TCP loses nothing: behind a slow consumer, frames
    would grow older and older. Those that are too old are passed over, and counted.

    Args:
        capture: open.
        clock: monotonic nanoseconds.
    """

    def __init__(self, capture: Any, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._capture = capture
        self._clock = clock
        self._delays = DelayWatch() if getattr(capture, "timed", False) else None
        self.bits = getattr(capture, "bits", None)

    def grab(self) -> None:
        """Wait for the driver's next frame that is not too old."""
        delay_ns = self._next()
        if delay_ns > MOST_BEHIND_NS:
            until_ns = self._clock() + round(CATCH_UP_S * 1e9)
            while delay_ns > CAUGHT_UP_NS and self._clock() < until_ns:
                delay_ns = self._next()
                self.overtaken += 1

    def _next(self) -> int:
        """Wait for the driver's next frame; its delay in nanoseconds, 0 where nothing tells."""
        self._wait()
        if self._delays is None:
            return 0
        self.delay_ns = self._delays.delay_ns(self._capture.sent_ns(), self._clock())
        return self.delay_ns

    def _wait(self) -> None:
        start = time.monotonic()
        try:
            if self._capture.grab():
                return
        except cv2.error:
            pass
        waited = time.monotonic() - start
        if waited >= _STALLED * READ_TIMEOUT_MS / 1e3:
            raise FeedLost(f"no frame for {waited:.1f} s", stalled=True)
        raise FeedLost("its stream ended")

    def retrieve(self) -> FramePixels:
        """Decode the frame, or take it as the driver decoded it."""
        try:
            ok, frame = self._capture.retrieve()
        except cv2.error:
            ok, frame = False, None
        if not ok or frame is None:
            raise FrameError("the driver's frame cannot be decoded")
        encoded = encoded_jpeg(frame)
        return as_pixels(frame) if encoded is None else decode_gray(encoded)

    def close(self) -> None:
        """Give the driver back."""
        self._capture.release()


def open_device(request: CameraRequest) -> Camera:
    """Open a video device."""
    request.refuse_fps()
    source = request.source
    camera = DeviceCamera(
        source.text if source.index is None else source.index,
        report=request.report,
        give_up_after=request.give_up_after,
        settings=request.settings,
    )
    camera.takes_settings = True
    return camera
