"""OpenCV's captures of live sources, opened so that what comes can be checked.

Motion JPEG comes as it was sent: decoded here, a JPEG that was cut on its way is a fault. FFmpeg
and V4L2 would fill it up with the frame before and say nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.camera.address import device_node
from runtime.camera.live.feed import StreamFault
from runtime.camera.network.diagnosis import diagnose
from runtime.camera.network.rtsp import over_tcp
from runtime.secrets import redact

READ_TIMEOUT_MS = 5000
MJPEG = frozenset({"MJPG", "mjpg", "JPEG", "jpeg"})
# FFmpeg's tag of gray16le. Gray of 10 and 12 bits says its depth, and comes scaled.
_GRAY16 = int.from_bytes(b"Y1\0\x10", "little")
_SILENT = 0  # of OpenCV's log levels
# Pixel formats of V4L2 that are deeper than 8 bits, and how many of 16 are used.
_DEEP = {"Y10 ": 10, "Y12 ": 12, "Y14 ": 14, "Y16 ": None}


class Capture:
    """One `cv2.VideoCapture` and what is known of its stream.

    Attributes:
        bits: how many bits of a uint16 sample are used; None where nothing says.
        timed: whether its frames bear the time at which they were sent, and come as they are sent.
    """

    def __init__(self, video: Any, *, timed: bool = False) -> None:
        self._video = video
        self.bits: int | None = None
        self.timed = timed

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether frames can be asked for."""
        return bool(self._video.isOpened())

    def grab(self) -> bool:
        """Wait for the next frame."""
        return bool(self._video.grab())

    def retrieve(self) -> tuple[bool, NDArray[np.generic] | None]:
        """The frame that was grabbed: pixels, or the bytes of a JPEG in one row."""
        ok, frame = self._video.retrieve()
        return bool(ok), frame

    def sent_ns(self) -> int:
        """Nanoseconds of the stream's own clock at which the grabbed frame was sent."""
        return round(float(self._video.get(cv2.CAP_PROP_POS_MSEC)) * 1e6)

    def release(self) -> None:
        """Give the source back."""
        self._video.release()


def open_capture(source: int | str, *, prepare: Callable[[Any], None] | None = None) -> Capture:
    """Open a device by its number or node, or an address.

    Args:
        prepare: sets up a device's `cv2.VideoCapture` before its format is looked at.
    """
    if isinstance(source, str) and redact(source) != source:
        _keep_natives_from_saying_it()
    if isinstance(source, str) and "://" in source:
        with over_tcp(source):
            capture = _open_address(source)
    else:
        capture = _open_device(source, prepare)
    # Frames that wait in the driver are old by the time they are judged.
    capture._video.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


def encoded_jpeg(frame: NDArray[np.generic]) -> bytes | None:
    """The bytes of a JPEG that came in place of pixels; None for pixels."""
    if frame.dtype != np.uint8 or frame.size != max(frame.shape) or frame.size < 4:
        return None
    data = frame.tobytes()
    return data if data.startswith(b"\xff\xd8") else None


def why_not(source: int | str) -> StreamFault:
    """Explain why a source cannot be opened, with a hint."""
    if isinstance(source, str) and "://" in source:
        return diagnose(source)
    return _why_no_device(source)


def _open_address(address: str) -> Capture:
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
    options = [value for name in timeouts for value in (name, READ_TIMEOUT_MS)]
    raw = [*options, cv2.CAP_PROP_FORMAT, -1]
    # The likelier form first: who must open twice keeps a camera busy that allows one viewer.
    ways = [raw, options] if address.lower().startswith("http") else [options, raw]
    for way in ways:
        video = cv2.VideoCapture(address, cv2.CAP_FFMPEG, way)
        if not video.isOpened() or (codec_of(video) in MJPEG) == (way is raw):
            break
        video.release()
    if video.isOpened() and is_deep(video):
        video.release()
        video = cv2.VideoCapture(address, cv2.CAP_FFMPEG, [*options, cv2.CAP_PROP_CONVERT_RGB, 0])
    # Over HTTP a stream may come in segments, or be a file: its times say nothing about a backlog.
    return Capture(video, timed=address.lower().startswith("rtsp"))


def _keep_natives_from_saying_it() -> None:
    """Silence the logs of OpenCV and FFmpeg, which contain addresses with their passwords."""
    # OpenCV 5 moved it.
    set_level = cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel
    set_level(_SILENT)
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    os.environ.pop("OPENCV_FFMPEG_DEBUG", None)


def _open_device(source: int | str, prepare: Callable[[Any], None] | None) -> Capture:
    # Read once by OpenCV: how long a V4L2 read may wait for a frame.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(READ_TIMEOUT_MS // 1000))
    backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    # A link such as /dev/v4l/by-id/… is followed anew each time: a camera that was unplugged
    # comes back under another number.
    video = cv2.VideoCapture(
        os.path.realpath(source) if isinstance(source, str) else source, backend
    )
    capture = Capture(video)
    if capture.isOpened():
        if prepare is not None:
            try:
                prepare(video)
            except BaseException:
                video.release()
                raise
        code = codec_of(video)
        if code in MJPEG or code in _DEEP:
            video.set(cv2.CAP_PROP_CONVERT_RGB, 0)
            capture.bits = _DEEP.get(code)
    return capture


def is_deep(video: Any) -> bool:
    """Whether FFmpeg decodes to gray of 16 bits, of which BGR would keep the upper eight."""
    return int(video.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) & 0xFFFFFFFF == _GRAY16


def codec_of(video: Any) -> str:
    """The four letters of a capture's codec or pixel format."""
    number = int(video.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    return number.to_bytes(4, "little").decode("latin-1")


def _why_no_device(source: int | str) -> StreamFault:
    if sys.platform != "linux":
        return StreamFault("OpenCV could not open it", "pass a video file to --camera, or 'demo'")
    device = device_node(source) if isinstance(source, int) else Path(source)
    others = "or pass a video file to --camera, or try '--camera demo'"
    if not device.exists():
        return StreamFault(
            f"no device {device}: OpenCV's V4L2 backend could not open it",
            f"plug it in ('ls /dev/video* /dev/v4l/by-id' lists the connected devices), {others}",
        )
    if not os.access(device, os.R_OK | os.W_OK):
        return StreamFault(
            f"this user may not open {device}",
            "add the user to the group 'video' and log in again",
        )
    return StreamFault(
        f"OpenCV's V4L2 backend could not open {device}",
        "check with fuser whether another program uses it, and with v4l2-ctl "
        f"--list-devices whether it is a capture device, {others}",
    )
