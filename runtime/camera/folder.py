"""A folder of pictures as a camera that waits."""

from __future__ import annotations

import re
import time
from pathlib import Path

from runtime.camera.base import Camera, Frame
from runtime.errors import FrameError, InputError
from runtime.picture import SUFFIXES, decode_image, list_pictures

_NUMBERED = re.compile(r"^(?P<label>.+?)[_-]\d+$")


class FolderCamera(Camera):
    """The pictures of a folder and the folders in it, in natural order.

    Args:
        path: the folder, or a single picture.

    Raises:
        InputError: no pictures there.
    """

    live = False

    def __init__(self, path: Path) -> None:
        self.name = f"pictures in {path}" if path.is_dir() else str(path)
        self._root = path if path.is_dir() else path.parent
        self._files = list_pictures(path) if path.is_dir() else [path]
        self.images = self._files
        self._number = 0
        self._closed = False
        if not self._files:
            raise InputError(
                f"there are no pictures in {path}",
                mend=f"give a folder with files that end in {', '.join(sorted(SUFFIXES))}",
            )

    def read(self) -> Frame | None:
        """The next picture, gray, in the depth of its file.

        Its budget starts when its bytes are read from the disk.
        """
        if self._closed or self._number >= len(self._files):
            return None
        path = self._files[self._number]
        number = self._number
        self._number += 1
        pixels, fault = None, ""
        start_ns = time.monotonic_ns()
        try:
            data = path.read_bytes()
            start_ns = time.monotonic_ns()
            pixels = decode_image(data)
        except FrameError as error:
            fault = f"{path}: {error}"
        except OSError as error:
            fault = f"{path}: {error.strerror or error}"
        return Frame(
            number,
            pixels,
            start_ns,
            time.monotonic_ns(),
            fault=fault,
            name=str(path.relative_to(self._root)),
            truth=label_of(path, self._root),
        )

    def close(self) -> None:
        """End the stream at the next read."""
        self._closed = True


def label_of(path: Path, root: Path) -> str:
    """The label that a picture's place suggests: its class folder, or `crazing` of crazing_12.

    It is a guess: count it as the truth only where the model has a label of that name.
    """
    if path.parent != root:
        return path.parent.name
    match = _NUMBERED.match(path.stem)
    return match["label"] if match else ""
