"""Faults that come slowly: a lens that loses its focus, a lamp that ages."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from runtime.health.faults import HealthFault
from runtime.health.limits import OUT_OF_FOCUS, OWN_LIGHT, HealthLimits
from runtime.health.monitor import HealthFinding
from runtime.health.statistics import level, sharpness


class SlowMonitor:
    """Watches rolling means of sharpness and brightness.

    They are held against what the model was trained on, where the limits say that, else
    against the stream's own first window. A fault is told when it begins, not again while it lasts.

    Args:
        limits: what is at fault.
    """

    def __init__(self, limits: HealthLimits) -> None:
        self._limits = limits
        self._sharpness: deque[float] = deque(maxlen=limits.slow_window)
        self._level: deque[float] = deque(maxlen=limits.slow_window)
        self._least_sharpness = limits.least_sharpness
        self._levels = (limits.least_level, limits.most_level)
        self._frames = 0
        self._good: dict[HealthFault, int] = {}

    def look(self, image: NDArray[np.uint8]) -> list[HealthFinding]:
        """Return the faults that begin with this image; most images are not even measured.

        Args:
            image: uint8, H×W, a healthy frame, or a tile of it, as the model sees it.
        """
        due = self._frames % self._limits.slow_every == 0
        self._frames += 1
        if not due:
            return []
        self._sharpness.append(sharpness(image))
        self._level.append(level(image))
        if len(self._level) < self._limits.slow_window:
            return []
        return [finding for finding in (self._focus(), self._light()) if finding is not None]

    def _focus(self) -> HealthFinding | None:
        mean = sum(self._sharpness) / len(self._sharpness)
        if self._least_sharpness is None:
            self._least_sharpness = mean * OUT_OF_FOCUS
        words = f"mean sharpness {mean:.2f}, at least {self._least_sharpness:.2f} is usual"
        return self._begins(HealthFault.DEFOCUSED, mean < self._least_sharpness, words)

    def _light(self) -> HealthFinding | None:
        mean = sum(self._level) / len(self._level)
        least, most = self._levels
        if least is None or most is None:
            least, most = mean * OWN_LIGHT, 1 - (1 - mean) * OWN_LIGHT
            self._levels = (least, most)
        words = f"mean brightness {mean:.1%}, usual are {least:.1%} to {most:.1%}"
        return self._begins(HealthFault.DRIFTING_LIGHT, not least <= mean <= most, words)

    def _begins(self, fault: HealthFault, wrong: bool, words: str) -> HealthFinding | None:
        """Return a fault that was not there before, or was over for a whole window."""
        good = self._good.get(fault, self._limits.slow_window)
        self._good[fault] = 0 if wrong else good + 1
        begins = wrong and good >= self._limits.slow_window
        return HealthFinding(fault, words) if begins else None
