"""A video device in place of OpenCV's, whose driver takes and refuses settings."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

YUYV = float(cv2.VideoWriter.fourcc(*"YUYV"))


class VideoDevice:
    """One opened device.

    Args:
        frames: that it delivers before it is gone; None for ever.
        refuses: properties that it does not take.
        rounds: values that it makes of what it is told, by property.
    """

    def __init__(
        self,
        frames: int | None = None,
        *,
        refuses: tuple[int, ...] = (),
        rounds: dict[int, float] | None = None,
        opens: bool = True,
    ) -> None:
        self.told: list[tuple[int, float]] = []
        self.released = False
        self._left = frames
        self._refuses, self._rounds = refuses, rounds or {}
        self._opens = opens
        self._count = 0
        self._has: dict[int, float] = {
            cv2.CAP_PROP_FOURCC: YUYV,
            cv2.CAP_PROP_FRAME_WIDTH: 64,
            cv2.CAP_PROP_FRAME_HEIGHT: 48,
            cv2.CAP_PROP_FPS: 30,
            cv2.CAP_PROP_AUTO_EXPOSURE: 3,
            cv2.CAP_PROP_EXPOSURE: 157,
        }

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self._opens and not self.released

    def set(self, number: int, value: float) -> bool:
        self.told.append((number, value))
        if number in self._refuses:
            return False
        self._has[number] = self._rounds.get(number, value)
        return True

    def get(self, number: int) -> float:
        return self._has.get(number, -1.0)

    def grab(self) -> bool:
        if self._left is not None:
            self._left -= 1
            return self._left >= 0
        return True

    def retrieve(self) -> tuple[bool, Any]:
        self._count += 1
        height, width = (
            int(self._has[side]) for side in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
        )
        noise = np.random.default_rng(self._count).integers(0, 9, (height, width, 3))
        return True, (200 + noise).astype(np.uint8)

    def release(self) -> None:
        self.released = True


def plugged(monkeypatch, *devices: VideoDevice) -> None:
    """Let OpenCV open these, one after the other, then none."""
    waiting = list(devices)

    def opened(*_: object) -> VideoDevice:
        return waiting.pop(0) if waiting else VideoDevice(opens=False)

    monkeypatch.setattr("runtime.camera.capture.cv2.VideoCapture", opened)
    monkeypatch.setattr("runtime.camera.live.backoff.FIRST_PAUSE_S", 0.001)
