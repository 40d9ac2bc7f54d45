"""Frames of a camera into a folder that `edgecl train --unlabelled` takes."""

from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path
from queue import Full, Queue

import numpy as np
from numpy.typing import NDArray

from runtime.camera.base import Frame
from runtime.errors import EdgeclError
from runtime.files.atomic import replacing
from runtime.image.encode import png_of

WAITING = 16
"""Frames that may wait for the disk."""


def write_png(path: Path, pixels: NDArray[np.generic]) -> None:
    """Write a frame as PNG, whole or not at all, with the samples that it has.

    Args:
        pixels: H×W, H×W×3 (BGR) or H×W×4 (BGRA); uint8 or uint16.

    Raises:
        InputError: it cannot be written.
    """
    data = png_of(pixels)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


class Recorder:
    """Writes frames in a thread of its own.

    Names begin with the time, so that recordings of several days may share a folder.

    Args:
        folder: it is there.
        wanted: frames to write.
        may_skip: leave frames out that the disk is too slow for; else `offer` waits.
    """

    def __init__(self, folder: Path, wanted: int, *, may_skip: bool) -> None:
        self.folder = folder
        self.skipped = 0
        self.written = 0
        self.failure: EdgeclError | None = None
        self._left = wanted
        self._may_skip = may_skip
        self._prefix = f"{datetime.now():%Y%m%d-%H%M%S}"
        self._frames: Queue[Frame | None] = Queue(WAITING)
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether no more frames are wanted, or can be written."""
        return self._left == 0 or self.failure is not None

    def offer(self, frame: Frame) -> None:
        """Write a frame, unless there are enough."""
        if self.full or frame.pixels is None:
            return
        try:
            self._frames.put(frame, block=not self._may_skip)
        except Full:
            self.skipped += 1
        else:
            self._left -= 1

    def close(self) -> None:
        """Wait until all that was taken is written.

        Raises:
            EquipmentError: the disk is full, or failed.
            InputError: the folder cannot be written.
        """
        self._frames.put(None)
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def _write(self) -> None:
        while (frame := self._frames.get()) is not None:
            if self.failure is not None or frame.pixels is None:
                continue  # what waits is taken all the same, so that nobody waits for room
            try:
                write_png(self.folder / f"{self._prefix}-{frame.number:06d}.png", frame.pixels)
                self.written += 1
            except EdgeclError as error:
                self.failure = error
