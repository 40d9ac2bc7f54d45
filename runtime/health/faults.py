"""Names of what can be wrong with a camera's frames. They are stable: supervisors count them."""

from __future__ import annotations

from enum import Enum


class HealthFault(str, Enum):
    """A fault of a frame, or of the frames of a while."""

    # As StrEnum does, which Python 3.10 has not: its text is its value.
    __str__ = str.__str__

    MISSED_TRIGGER = "missed-trigger"
    DAMAGED = "damaged"
    SIZE_CHANGED = "size-changed"
    DARK = "dark"
    BRIGHT = "bright"
    REPEATED = "repeated"
    FROZEN = "frozen"
    CLOCK = "clock"
    OVERRUN = "overrun"
    DEFOCUSED = "defocused"
    DRIFTING_LIGHT = "drifting-light"
    # Of frames that are far from the training images, where the bundle tells.
    UNFAMILIAR = "unfamiliar"
    # Outages, which the camera counts itself.
    LOST = "lost"
    STALLED = "stalled"


OF_A_FRAME = (
    HealthFault.MISSED_TRIGGER,
    HealthFault.DAMAGED,
    HealthFault.SIZE_CHANGED,
    HealthFault.DARK,
    HealthFault.BRIGHT,
    HealthFault.REPEATED,
    HealthFault.FROZEN,
)
"""Faults that give a frame the verdict `fault`, the first that holds; each counts frames."""

OF_A_STREAM = (
    HealthFault.CLOCK,
    HealthFault.OVERRUN,
    HealthFault.DEFOCUSED,
    HealthFault.DRIFTING_LIGHT,
)
"""Faults that change no verdict. `clock` and `overrun` count frames, the others beginnings."""
