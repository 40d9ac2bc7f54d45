"""One connection to a live camera: what every kind of camera must be able to do.

`LiveCamera` keeps such feeds: it opens one, replaces it when it is lost, and counts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.errors import FrameError

FramePixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class StreamFault:
    """Problem of a stream, and its remedy.

    Args:
        problem: a sentence without its end, which follows "camera ADDRESS: ".
        hint: an instruction.
        code: a key of `runtime.errors.CODES`.
    """

    problem: str
    hint: str
    code: str = "camera-unavailable"


class CannotOpen(Exception):  # noqa: N818 - an outcome, as FeedLost is
    """Outcome of an opening that failed.

    Args:
        fault: why; None where that takes a closer look.
    """

    def __init__(self, fault: StreamFault | None = None) -> None:
        super().__init__(fault.problem if fault else "it cannot be opened")
        self.fault = fault


class FeedLost(Exception):  # noqa: N818 - an outcome, as CannotOpen is
    """Loss of a camera: it is worth opening again.

    Args:
        reason: why, in words that stand in brackets.
        stalled: nothing came for too long, while the connection stood.
    """

    def __init__(self, reason: str, *, stalled: bool = False) -> None:
        super().__init__(reason)
        self.stalled = stalled


class MissedTrigger(FrameError):  # noqa: N818 - an outcome, as FeedLost is
    """Absence of a frame that a trigger should have brought."""


class FeedEnded(Exception):  # noqa: N818 - no error at all
    """End of a source that is not live."""


class Feed(ABC):
    """One connection to a camera. All but `wake` is called by one thread.

    Attributes:
        bits: how many bits of uint16 pixels are used, where the source says so.
        device_ns: when the camera took the frame; see `runtime.camera.base.Frame`.
        delay_ns: how much longer than the quickest frame it was on its way, where the connection
            tells and the camera has no clock of its own.
        live: True where a frame that nobody takes in time is lost.
        overtaken: frames that this connection passed over, since too many waited to be taken.
    """

    overtaken: int = 0
    bits: int | None = None
    device_ns: int | None = None
    delay_ns: int | None = None
    live: bool = True

    @abstractmethod
    def grab(self) -> None:
        """Wait until the next frame is at hand, still encoded.

        Raises:
            FeedLost: the camera is gone, or sent nothing for too long.
            FeedEnded: the source is a stored one, and has come to its end.
        """

    @abstractmethod
    def retrieve(self) -> FramePixels:
        """Decode the frame that was grabbed: H×W gray or H×W×3 BGR.

        Raises:
            FrameError: it is damaged, or is not an image.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the camera back."""

    def wake(self) -> None:  # noqa: B027 - most have no way to do it
        """Make a `grab` in another thread return, where that can be done."""


OpenFeed = Callable[[], Feed]
"""Opens a connection. Raises CannotOpen."""
