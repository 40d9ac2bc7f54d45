"""Alarm for images that drift away from those of training, long before one is `unknown`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from runtime.novelty.conformal import conformal_rank, tail

FAR_RATE = 0.1
"""Share of the validation images that counts as far."""

EVERY = 10
"""One of so many frames is counted: neighbours show the same metal, and are not independent."""

WINDOW = 100
"""Counted frames that are looked at together."""

ALARM_RATE = 1e-5
"""Rate of false alarms per counted frame: one in a million frames."""


@dataclass(frozen=True)
class DriftLevel:
    """Level of an alarm.

    Args:
        far: frames far from training, of those counted last.
        counted: how many these are.
        window: how many are looked at together.
        least: how many far ones of a window give the alarm.
    """

    far: int
    counted: int
    window: int
    least: int


class DriftAlarm:
    """Counts how many of the last frames are far from training, as few validation images are.

    An alarm is told when it begins, and again only after a whole window without one.

    Args:
        images: of the validation part, whose distances say what is far.
        every, window, rate: see above.
    """

    def __init__(
        self, images: int, *, every: int = EVERY, window: int = WINDOW, rate: float = ALARM_RATE
    ) -> None:
        self.least = least_alarming(images, window, rate)
        self._every = every
        self._recent: deque[bool] = deque(maxlen=window)
        self._frames = 0
        self._quiet = window

    @property
    def level(self) -> DriftLevel:
        """Return how far it is from the alarm."""
        recent = self._recent
        return DriftLevel(sum(recent), len(recent), recent.maxlen or 0, self.least)

    def look(self, far: bool) -> str:
        """Return what is wrong, in words, where an alarm begins with this frame; else nothing.

        Args:
            far: whether the frame is farther from training than all but `FAR_RATE` of the
                validation images.
        """
        due = self._frames % self._every == 0
        self._frames += 1
        if not due:
            return ""
        self._recent.append(far)
        window = self._recent.maxlen or 0
        if len(self._recent) < window:
            return ""
        count = sum(self._recent)
        wrong = count >= self.least
        begins = wrong and self._quiet >= window
        self._quiet = 0 if wrong else self._quiet + 1
        if not begins:
            return ""
        return (
            f"{count} of {window} frames are farther from the training images than "
            f"{1 - FAR_RATE:.0%} of the validation images were; {self.least} or more are no chance"
        )


def least_alarming(images: int, window: int, rate: float) -> int:
    """Return how many far frames of a window give an alarm: as few as keep the rate.

    Args:
        images: of the validation part.

    Returns:
        `window` + 1 where the images are too few for any alarm.
    """
    rank = conformal_rank(images, FAR_RATE)
    return next(
        (count for count in range(window + 1) if tail(count, window, images, rank) <= rate),
        window + 1,
    )
