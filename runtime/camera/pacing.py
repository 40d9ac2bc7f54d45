"""A stored stream played at a line's rate."""

from __future__ import annotations

import threading
import time

from runtime.camera.base import Camera, Frame
from runtime.errors import InputError


class PacedCamera(Camera):
    """Gives a stored stream's frames at a fixed rate, as a line would.

    A reader that comes late gets the next frame at once, and the clock goes on from there:
    nothing is lost in the file.

    Args:
        camera: the stored stream. It is closed with this one.
        fps: frames per second.

    Raises:
        InputError: the rate is not positive.
    """

    live = True

    def __init__(self, camera: Camera, fps: float) -> None:
        if not fps > 0:
            raise InputError(
                f"a frame rate of {fps:g} frames/s is not above 0", hint="use a rate above 0"
            )
        self.name = f"{camera.name} at {fps:g} frames/s"
        self.notes = camera.notes
        self._camera = camera
        self.images = camera.images
        self._period_ns = 1e9 / fps
        self._due_ns: float | None = None
        self._closed = threading.Event()

    @property
    def stored(self) -> bool:
        """It is, though a reader that comes late gets no second chance."""
        return self._camera.stored

    def read(self) -> Frame | None:
        """Wait for the tick, then read."""
        now = time.monotonic_ns()
        due = now if self._due_ns is None else max(self._due_ns + self._period_ns, now)
        self._due_ns = due
        if self._closed.wait((due - now) / 1e9):
            return None
        return self._camera.read()

    def close(self) -> None:
        """End the stream. A read that waits for its tick returns None at once."""
        self._closed.set()
        self._camera.close()
