"""Stored file behind a web address: downloaded, then read like a file.

FFmpeg would read it on the way, and tell neither a connection that broke from the file's end nor a
frame count that is wrong from a file that was cut.
"""

from __future__ import annotations

import http.client
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import urlsplit

from runtime.camera.base import Camera, Frame
from runtime.camera.network.web import Answer
from runtime.errors import InputError
from runtime.secrets import redact

_BLOCK = 1 << 20


class FetchedCamera(Camera):
    """Frames of a downloaded file. It is removed when the camera closes.

    Args:
        name: for messages.
        folder: holds the file.
        stored: reads it.
        broken: why not all of it came; empty where all did.
    """

    live = False

    def __init__(
        self,
        name: str,
        folder: tempfile.TemporaryDirectory[str],
        stored: Camera,
        broken: str,
    ) -> None:
        self.name = name
        self.images = stored.images
        self._folder = folder
        self._stored = stored
        self._broken = broken

    def read(self) -> Frame | None:
        """The next frame.

        Raises:
            InputError: the file ends early, or the connection broke before its end.
        """
        frame = self._stored.read()
        if frame is None and self._broken:
            raise InputError(f"{self.name}: {self._broken}", hint="start again")
        return frame

    def close(self) -> None:
        """Give the file back and remove it."""
        self._stored.close()
        self._folder.cleanup()


def open_fetched(
    address: str, answer: Answer, open_stored: Callable[[Path, str], Camera]
) -> Camera:
    """Fetch the file at a web address and open it.

    Args:
        address: of http or https.
        answer: of its server, which named a length. It stays the caller's to close.
        open_stored: opens a file under the name that messages are to have.

    Raises:
        InputError: there is no room for the file, or it is none that can be read.
    """
    name = f"camera {redact(address)}"
    length = answer.length or 0
    folder = tempfile.TemporaryDirectory(prefix="edgecl-fetched-")
    try:
        free = shutil.disk_usage(folder.name).free
        if length > free:
            raise InputError(
                f"{name} is {length / 2**20:,.0f} MiB, but {folder.name} has space for "
                f"{free / 2**20:,.0f}",
                hint="set TMPDIR to a folder on a larger disk, or copy the file yourself",
            )
        path = Path(folder.name) / (PurePosixPath(urlsplit(address).path).name or "file")
        with open(path, "wb") as file:
            came = _copy(answer, file)
        broken = ""
        if came < length:
            broken = f"the connection broke after {came:,} of {length:,} bytes"
        return FetchedCamera(name, folder, open_stored(path, name), broken)
    except BaseException:
        folder.cleanup()
        raise


def _copy(answer: Answer, file: BinaryIO) -> int:
    """Return the bytes received: all, or those before the connection broke."""
    came = 0
    while True:
        try:
            block = answer.body.read(_BLOCK)
        except (OSError, http.client.HTTPException):
            return came
        if not block:
            return came
        file.write(block)
        came += len(block)
