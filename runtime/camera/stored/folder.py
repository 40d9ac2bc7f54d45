"""A folder of images as a camera that waits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from runtime.camera.base import Camera, Frame
from runtime.errors import FrameError
from runtime.image.decode import decode_image, read_encoded
from runtime.image.folder.labelled import find_with_truth
from runtime.image.folder.layouts import flat_label


class FolderCamera(Camera):
    """The images of a folder and the folders in it, in natural order: those that training takes.

    A frame's truth is the class that training would give it. It is a guess where nobody sorted
    the images: count it only where the model has a label of that name.

    Args:
        path: the folder, or a single image.

    Raises:
        InputError: no images there.
    """

    live = False

    def __init__(self, path: Path) -> None:
        self._paths: Sequence[Path]
        self._truths: Sequence[str]
        if path.is_dir():
            layout, self._truths = find_with_truth(path)
            self.name = f"images in {path}"
            self.notes = layout.notes
            self._root, self._paths = layout.root, layout.paths
        else:
            self.name = str(path)
            self._root, self._paths, self._truths = path.parent, [path], [flat_label(path.stem)]
        self.images = self._paths
        self._number = 0
        self._closed = False

    def read(self) -> Frame | None:
        """The next image, gray, in the depth of its file.

        Its budget starts when its bytes are read from the disk.
        """
        if self._closed or self._number >= len(self._paths):
            return None
        number, path = self._number, self._paths[self._number]
        self._number += 1
        pixels, fault = None, ""
        start_ns = time.monotonic_ns()
        try:
            data = read_encoded(path)
            start_ns = time.monotonic_ns()
            pixels = decode_image(data)
        except FrameError as error:
            fault = f"{path}: {error}"
        return Frame(
            number,
            pixels,
            start_ns,
            time.monotonic_ns(),
            fault=fault,
            name=path.relative_to(self._root).as_posix(),
            truth=self._truths[number],
        )

    def close(self) -> None:
        """End the stream at the next read."""
        self._closed = True
