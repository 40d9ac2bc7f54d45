"""A video file as a camera that waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera.base import Camera, Frame, as_pixels
from runtime.camera.capture import MJPEG, codec_of, is_deep
from runtime.camera.container.ending import Ending
from runtime.camera.container.walk import ending_of
from runtime.errors import FrameError, InputError
from runtime.image.decode import decode_gray

# Codecs whose frames stand each for itself; others show frames in another order than they come in,
# and x264 reorders four at most unless it is told otherwise.
_ALONE = frozenset(
    {"HFYU", "FFVH", "FFV1", "MPNG", "png ", "dvsd", "\0\0\0\0", "GREY", "Y800", "YUY2"}
)
_REORDERED = 4


class VideoCamera(Camera):
    """The frames of a video file.

    Motion JPEG is taken as raw packets and decoded to gray with the decoder that training used:
    faster than by way of BGR, and a packet that is cut short is seen. Other codecs come as BGR, or
    as gray of 16 bits, from FFmpeg, which does not tell a damaged image from a whole one: of a
    file that ends within a frame, the last frames that this one may have spoilt are faults.

    Args:
        path: the file.
        name: for messages, where the path says nothing to the user.

    Raises:
        InputError: it is not a readable video, or it holds no frame.
    """

    live = False

    def __init__(self, path: Path, *, name: str = "") -> None:
        self.name = name or str(path)
        self._ending = _look_at_end(path)
        self._capture = _open(path, [], self._ending, self.name)
        self._codec = codec_of(self._capture)
        self._announced = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._raw = self._codec in MJPEG
        option = [cv2.CAP_PROP_CONVERT_RGB, 0] if is_deep(self._capture) else []
        option = [cv2.CAP_PROP_FORMAT, -1] if self._raw else option
        if option:
            self._capture.release()
            self._capture = _open(path, option, self._ending, self.name)
        self._held: deque[Frame] = deque()
        spoilt = 1 if self._codec in _ALONE else _REORDERED
        self._hold = spoilt if self._ending.partial else 0
        self._number = 0
        self._cut = False
        self._closed = False
        # Native code must not be released while another thread reads through it.
        self._reading = threading.Lock()

    def read(self) -> Frame | None:
        """The next frame: gray from Motion JPEG, BGR from other codecs.

        Raises:
            InputError: the file ended before what its container announces, or within a frame.
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
            fault = f"{self.name}, frame {self._number}: {error}"
        self._cut = pixels is None
        return Frame(self._number, pixels, start_ns, time.monotonic_ns(), fault=fault)

    def _read_decoded(self) -> Frame | None:
        while len(self._held) <= self._hold:
            frame = self._decode()
            if frame is None:
                break
            self._held.append(frame)
        if not self._held:
            return None
        spoilt = len(self._held) <= self._hold
        frame = self._held.popleft()
        if spoilt:
            self._cut = True
            fault = f"{self.name}, frame {self._number}: the file is truncated here"
            frame = replace(frame, pixels=None, fault=fault)
        waited = time.monotonic_ns() - frame.ready_ns if self._hold else 0
        return replace(
            frame,
            number=self._number,
            start_ns=frame.start_ns + waited,
            ready_ns=frame.ready_ns + waited,
        )

    def _decode(self) -> Frame | None:
        start_ns = time.monotonic_ns()  # a file does not wait: what follows is all decoding
        ok, delivered = self._capture.read()
        if not ok or delivered is None:
            return None
        pixels, fault = None, ""
        try:
            pixels = as_pixels(delivered)
        except FrameError as error:
            fault = f"{self.name}, frame {self._number}: {error}"
        return Frame(self._number, pixels, start_ns, time.monotonic_ns(), fault=fault)

    def _require_whole(self) -> None:
        missing = self._ending.missing
        if missing or (self._cut and not self._ending.known):
            if self._cut:
                where = f"in the middle of frame {self._number}"
            else:
                where = f"after {self._number}"
            more = f" of {self._announced}" if self._announced > self._number else ""
            what = "" if self._cut else " frames"
            raise InputError(
                f"{self.name} ended {where}{more}{what}: the file is "
                f"truncated{f' ({missing})' if missing else ''}",
                hint="copy or record it again",
            )
        if self._number == 0:
            raise _without_frames(self.name, self._codec if self._announced else "")


def _without_frames(name: str, codec: str) -> InputError:
    """The error for a stored stream that was opened and has no frame to give.

    Args:
        name: of the file or the camera.
        codec: of a stream whose header announces frames; else empty.
    """
    if codec.strip("\0 "):
        return InputError(
            f"{name} contains no readable frame: OpenCV's FFmpeg has no decoder for its "
            f"codec {codec}",
            hint="convert it, for example to Motion JPEG in .avi",
        )
    return InputError(f"{name} contains no readable frame", hint="copy or record it again")


def _look_at_end(path: Path) -> Ending:
    try:
        return ending_of(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", hint="check the file and its permissions"
        ) from error


def _open(path: Path, options: list[int], ending: Ending, name: str) -> Any:
    # The absolute path, so that FFmpeg does not take a name with a colon for a protocol.
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, options)
    if not capture.isOpened():
        if not path.stat().st_size:
            raise InputError(f"{name} is empty", hint="copy or record it again")
        if ending.missing:
            raise InputError(
                f"{name} is not a readable video: it is truncated ({ending.missing})",
                hint="copy or record it again",
            )
        raise InputError(
            f"{name} is not a readable video",
            hint="convert it, for example to Motion JPEG in .avi",
        )
    return capture
