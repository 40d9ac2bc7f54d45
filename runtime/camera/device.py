"""A live camera: a video device, a network stream, a GStreamer pipeline."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera.base import Camera, CameraRequest, Frame, as_pixels
from runtime.camera.capture import encoded_jpeg, open_capture, why_not
from runtime.errors import EquipmentError, FrameError, InputError
from runtime.image.decode import decode_gray
from runtime.progress import Say
from runtime.secrets import redact

PATIENCE_S = 15.0
"""Time that a stopped camera may stay away before the stream ends, in seconds."""

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

Opener = Callable[[int | str], Any]


class DeviceCamera(Camera):
    """Live camera. If its frames stop, it is opened again, for a while.

    Args:
        source: the index or the node of a video device, an address, or a GStreamer pipeline.
        report: is told, in one line, when the camera is lost and when it is back.
        opener: makes the capture; tests hand in their own.
        patience_s: how long a camera that stopped may stay away.
        may_end: a web server names no length and may be serving a file; one that begins anew with
            its first frame has come to its end.

    Raises:
        InputError: it cannot be opened.
    """

    live = True

    def __init__(
        self,
        source: int | str,
        *,
        report: Say = lambda text: None,
        opener: Opener | None = None,
        patience_s: float = PATIENCE_S,
        may_end: bool = False,
    ) -> None:
        self.name = f"camera {redact(str(source))}"
        self._source = source
        self._report = report
        self._opener = opener or open_capture
        self._patience_s = patience_s
        self._closed = threading.Event()
        # Native code must not be released while another thread reads through it.
        self._reading = threading.Lock()
        self._number = 0
        self._heard = time.monotonic()
        self._capture = self._opener(source)
        if not self._capture.isOpened():
            self._capture.release()
            finding = why_not(source)
            raise InputError(
                f"{self.name}: {finding.problem}", hint=finding.hint, code="camera-unavailable"
            )
        self._may_end = may_end
        self._first: bytes | None = None

    def read(self) -> Frame | None:
        """The next frame: gray from Motion JPEG, else BGR or gray as the driver has it.

        Its budget starts when the driver has it, before decoding.

        Raises:
            EquipmentError: the camera stopped and did not come back.
        """
        with self._reading:
            while not self._closed.is_set():
                if self._grab():
                    frame = self._retrieve()
                    if frame.number == 0:
                        self._first = self._digest(frame)
                    return frame
                if not self._closed.is_set() and self._reconnect():
                    frame = self._retrieve()
                    return None if self._has_come_round(frame) else frame
            return None

    def close(self) -> None:
        """End the stream, and give the device back once no read is going on."""
        self._closed.set()
        if self._reading.acquire(timeout=1.0):
            self._capture.release()
            self._reading.release()

    def _grab(self) -> bool:
        try:
            grabbed = bool(self._capture.grab())
        except cv2.error:
            return False
        if grabbed:
            self._heard = time.monotonic()
        return grabbed

    def _retrieve(self) -> Frame:
        start_ns = time.monotonic_ns()
        number = self._number
        self._number += 1
        pixels, fault = None, ""
        try:
            pixels = self._decode()
        except FrameError as error:
            fault = f"{self.name}, frame {number}: {error}"
        bits = getattr(self._capture, "bits", None)
        return Frame(number, pixels, start_ns, time.monotonic_ns(), fault=fault, bits=bits)

    def _decode(self) -> NDArray[np.uint8] | NDArray[np.uint16]:
        try:
            ok, frame = self._capture.retrieve()
        except cv2.error:
            ok, frame = False, None
        if not ok or frame is None:
            raise FrameError("the driver's frame cannot be decoded")
        encoded = encoded_jpeg(frame)
        return as_pixels(frame) if encoded is None else decode_gray(encoded)

    def _has_come_round(self, frame: Frame) -> bool:
        """Whether what began anew is a file: a live camera shows no frame twice, noise and all."""
        if self._first is None or frame.pixels is None or self._digest(frame) != self._first:
            return False
        self._number -= 1
        self._report(f"{self.name} restarted from its first frame: it is a file, and it has ended")
        return True

    def _digest(self, frame: Frame) -> bytes | None:
        pixels = frame.pixels
        if not self._may_end or pixels is None or pixels.min() == pixels.max():
            return None
        return hashlib.blake2b(np.ascontiguousarray(pixels).tobytes()).digest()

    def _reconnect(self) -> bool:
        """Open the camera again until it has a frame; False when it was closed meanwhile."""
        lost_at, silent_since = time.monotonic(), self._heard
        self._report(f"{self.name} stopped after frame {self._number - 1}; opening it again")
        pause = FIRST_PAUSE_S
        while time.monotonic() - lost_at < self._patience_s:
            self._capture.release()
            if self._closed.wait(pause):
                return False
            pause = min(2 * pause, LONGEST_PAUSE_S)
            self._capture = self._opener(self._source)
            if self._capture.isOpened() and self._grab():
                away = self._heard - silent_since
                self._report(f"{self.name} is back after {away:.1f} s without frames")
                return True
        raise EquipmentError(
            f"{self.name} stopped after {self._number} frames and did not recover within "
            f"{self._patience_s:g} s",
            hint="check its cable and power and whether another program uses it, then start again",
            code="camera-lost",
        )


def open_device(request: CameraRequest) -> Camera:
    """Open a video device or a GStreamer pipeline."""
    request.refuse_fps()
    source = request.source
    return DeviceCamera(
        source.text if source.index is None else source.index, report=request.report
    )
