"""Cameras for tests of streams as services."""

from __future__ import annotations

import threading
import time

import numpy as np

from runtime.camera.base import Camera, Frame


class QuietCamera(Camera):
    """Gives the frames that a test asks for, and is quiet between them."""

    name = "quiet"
    live = True

    def __init__(self) -> None:
        self._wanted = threading.Semaphore(0)
        self._closed = threading.Event()
        self._number = 0

    def give(self, frames: int = 1) -> None:
        for _ in range(frames):
            self._wanted.release()

    def read(self) -> Frame | None:
        self._wanted.acquire()
        if self._closed.is_set():
            return None
        number, self._number = self._number, self._number + 1
        now = time.monotonic_ns()
        return Frame(number, np.full((32, 48), 40 + number % 8, np.uint8), now, now)

    def close(self) -> None:
        self._closed.set()
        self._wanted.release()
