"""RTSP over TCP, unless the user or the camera wants it otherwise.

FFmpeg asks for UDP first, whose packets networks may block or lose. OpenCV takes FFmpeg's
options only from a variable of the process, and reads it while it opens an address.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
TCP = "rtsp_flags;prefer_tcp"
"""TCP first, and UDP where a camera refuses it. Some versions of OpenCV ask for it themselves."""


class _Setting:
    """The variable, while at least one opening needs it.

    An opening that hangs must not keep another camera from being opened, so no lock is held
    while one goes on: the first sets the variable, and the last takes it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0

    def take(self) -> None:
        with self._lock:
            if not self._users:
                if VARIABLE in os.environ:
                    return
                os.environ[VARIABLE] = TCP
            self._users += 1

    def give_back(self) -> None:
        with self._lock:
            if self._users:
                self._users -= 1
                if not self._users:
                    os.environ.pop(VARIABLE, None)


_SETTING = _Setting()


@contextmanager
def over_tcp(address: str) -> Iterator[None]:
    """Let what is opened inside use TCP where `address` is of RTSP; the user's own options win."""
    if not address.lower().startswith("rtsp"):
        yield
        return
    _SETTING.take()
    try:
        yield
    finally:
        _SETTING.give_back()
