"""A video file as a camera that waits."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera.base import Camera, Frame
from runtime.errors import FrameError, InputError
from runtime.picture import decode_gray

# Containers whose header says how many frames follow. Elsewhere OpenCV guesses from the duration.
_COUNTED = frozenset({".avi", ".mp4", ".mov", ".m4v"})
_MJPEG = frozenset({"MJPG", "mjpg", "JPEG", "jpeg"})


class VideoCamera(Camera):
    """The frames of a video file.

    Motion JPEG is taken as raw packets and decoded to gray with the decoder that training used:
    faster than by way of BGR, and a packet that is cut short is seen. Other codecs come as BGR
    from FFmpeg, which does not tell a damaged picture from a whole one.

    Raises:
        InputError: it is no video that can be read, or it holds no frame.
    """

    live = False

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._capture = _open(path, [])
        self._raw = _codec(self._capture) in _MJPEG
        self._announced = _announced(self._capture, path)
        if self._raw:
            self._capture.release()
            self._capture = _open(path, [cv2.CAP_PROP_FORMAT, -1])
        self._number = 0
        self._cut = False
        self._closed = False
        # Native code must not be released while another thread reads through it.
        self._reading = threading.Lock()

    def read(self) -> Frame | None:
        """The next frame: gray from Motion JPEG, BGR from other codecs.

        Raises:
            InputError: the file ended before the frames that it announced, or within a frame.
        """
        with self._reading:
            if self._closed:
                return None
            frame = self._read_packet() if self._raw else self._read_decoded()
        if frame is None:
            self._require_whole()
            return None
        self._number += 1
        return frame

    def close(self) -> None:
        """Give the file back, or end the stream at the next read while one is going on."""
        self._closed = True
        if self._reading.acquire(timeout=1.0):
            self._capture.release()
            self._reading.release()

    def _read_packet(self) -> Frame | None:
        ok, packet = self._capture.read()
        if not ok or packet is None:
            return None
        start_ns = time.monotonic_ns()
        pixels: NDArray[np.uint8] | None = None
        fault = ""
        try:
            pixels = decode_gray(packet)
        except FrameError as error:
            fault = f"{self._path}, frame {self._number}: {error}"
        self._cut = pixels is None
        return Frame(self._number, pixels, start_ns, time.monotonic_ns(), fault=fault)

    def _read_decoded(self) -> Frame | None:
        start_ns = time.monotonic_ns()  # a file does not wait: what follows is all decoding
        ok, pixels = self._capture.read()
        if not ok or pixels is None:
            return None
        return Frame(self._number, np.asarray(pixels, np.uint8), start_ns, time.monotonic_ns())

    def _require_whole(self) -> None:
        mend = "copy or record it again"
        if self._number == 0:
            raise InputError(f"{self._path} holds no frame that can be read", mend=mend)
        if self._number >= self._announced and not self._cut:
            return
        if self._cut:
            where = f"in the middle of frame {self._number}"
            where += f" of {self._announced}" if self._announced else ""
        else:
            where = f"after {self._number} of {self._announced} frames"
        raise InputError(f"{self._path} ended {where}: the file is cut short", mend=mend)


def _open(path: Path, options: list[int]) -> Any:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", mend="check the file and its permissions"
        ) from error
    # The absolute path, so that FFmpeg does not take a name with a colon for a protocol.
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, options)
    if not capture.isOpened():
        raise InputError(
            f"{path} is not a video that can be read, or it is cut short",
            mend="record it again, or convert it, for example to Motion JPEG in .avi",
        )
    return capture


def _codec(capture: Any) -> str:
    number = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    return number.to_bytes(4, "little").decode("latin-1")


def _announced(capture: Any, path: Path) -> int:
    """The frames that the container promises; 0 where it does not."""
    if path.suffix.lower() not in _COUNTED:
        return 0
    return max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
