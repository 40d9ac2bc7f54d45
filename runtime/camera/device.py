"""A live camera: a video device, a network stream, a GStreamer pipeline."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from runtime.camera.base import Camera, Frame
from runtime.errors import InputError

PATIENCE_S = 15.0
"""How long a camera that stopped may stay away before the stream ends."""

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

_READ_TIMEOUT_MS = 5000

Opener = Callable[[int | str], Any]


class DeviceCamera(Camera):
    """Frames as they come. When they stop coming, the camera is opened again, for a while.

    Args:
        source: the index of a video device, a URL, or a GStreamer pipeline.
        report: is told, in one line, when the camera is lost and when it is back.
        opener: makes the `cv2.VideoCapture`; tests hand in their own.
        patience_s: how long a camera that stopped may stay away.

    Raises:
        InputError: it cannot be opened.
    """

    live = True

    def __init__(
        self,
        source: int | str,
        *,
        report: Callable[[str], None] = lambda text: None,
        opener: Opener | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.name = f"camera {source}"
        self._source = source
        self._report = report
        self._opener = opener or _open
        self._patience_s = patience_s
        self._closed = threading.Event()
        # Native code must not be released while another thread reads through it.
        self._reading = threading.Lock()
        self._number = 0
        self._capture = self._opener(source)
        if not self._capture.isOpened():
            self._capture.release()
            raise InputError(
                f"{self.name}: {_tried(source)}",
                mend="give --camera a video file, or try '--camera demo'",
            )

    def read(self) -> Frame | None:
        """The next frame, BGR. Its budget starts when the driver has it, before decoding.

        Raises:
            InputError: the camera stopped and did not come back.
        """
        with self._reading:
            while not self._closed.is_set():
                if self._grab() or (not self._closed.is_set() and self._reconnect()):
                    return self._retrieve()
            return None

    def close(self) -> None:
        """End the stream, and give the device back once no read is going on."""
        self._closed.set()
        if self._reading.acquire(timeout=1.0):
            self._capture.release()
            self._reading.release()

    def _grab(self) -> bool:
        try:
            return bool(self._capture.grab())
        except cv2.error:
            return False

    def _retrieve(self) -> Frame:
        start_ns = time.monotonic_ns()
        try:
            ok, pixels = self._capture.retrieve()
        except cv2.error:
            ok, pixels = False, None
        number = self._number
        self._number += 1
        if not ok or pixels is None:
            fault = f"{self.name}, frame {number}: the driver's frame cannot be decoded"
            return Frame(number, None, start_ns, time.monotonic_ns(), fault=fault)
        return Frame(number, np.asarray(pixels, np.uint8), start_ns, time.monotonic_ns())

    def _reconnect(self) -> bool:
        """Open the camera again until it has a frame; False when it was closed meanwhile."""
        lost_at = time.monotonic()
        self._report(f"{self.name} stopped after frame {self._number - 1}; opening it again")
        pause = FIRST_PAUSE_S
        while time.monotonic() - lost_at < self._patience_s:
            self._capture.release()
            if self._closed.wait(pause):
                return False
            pause = min(2 * pause, LONGEST_PAUSE_S)
            self._capture = self._opener(self._source)
            if self._capture.isOpened() and self._grab():
                away = time.monotonic() - lost_at
                self._report(f"{self.name} is back after {away:.1f} s without frames")
                return True
        raise InputError(
            f"{self.name} stopped after {self._number} frames and did not come back within "
            f"{self._patience_s:g} s",
            mend="check its cable, its power and who else uses it, then start again",
        )


def _open(source: int | str) -> Any:
    # Read once by OpenCV: how long a V4L2 read may wait for a frame.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(_READ_TIMEOUT_MS // 1000))
    if isinstance(source, int):
        capture = cv2.VideoCapture(source, _device_backend())
    elif " ! " in source:
        capture = cv2.VideoCapture(source, cv2.CAP_GSTREAMER)
    else:
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
        options = [value for name in timeouts for value in (name, _READ_TIMEOUT_MS)]
        capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, options)
    # Frames that wait in the driver are old by the time they are judged.
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


def _device_backend() -> int:
    return int(cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)


def _tried(source: int | str) -> str:
    if isinstance(source, str):
        backend = "GStreamer" if " ! " in source else "FFmpeg"
        return f"OpenCV's {backend} backend could not open it"
    if sys.platform != "linux":
        return "OpenCV could not open it"
    device = Path(f"/dev/video{source}")
    if not device.exists():
        return f"no device {device}, OpenCV's V4L2 backend could not open it"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"{device} may not be opened by this user (is it in the group 'video'?)"
    return f"OpenCV's V4L2 backend could not open {device}; another program may be using it"
