"""What every camera offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Frame:
    """One captured frame.

    Args:
        number: counts from 0, without gaps, over everything that the camera delivered.
        pixels: H×W (gray) or H×W×3 (BGR), uint8; None where the frame could not be decoded.
        start_ns: monotonic nanoseconds when the picture was at hand, still encoded; the budget
            for the whole counts from here.
        ready_ns: monotonic nanoseconds when the pixels were ready; the capture step is
            `ready_ns - start_ns`.
        fault: why there are no pixels; empty otherwise.
        name: the file it came from, where there is one.
        truth: the label that a demo camera or a class folder knows; empty otherwise.
    """

    number: int
    pixels: NDArray[np.uint8] | None
    start_ns: int
    ready_ns: int
    fault: str = ""
    name: str = ""
    truth: str = ""


Own = TypeVar("Own", bound="Camera")


class Camera(ABC):
    """A source of frames. Read from one thread; close from any.

    Attributes:
        name: what was opened, in words, for messages.
        live: True where a frame that nobody takes in time is lost (a camera, the demo line);
            False where the source waits (a file, a folder).
        notes: what a reader of the results must know of what the source holds.
    """

    name: str
    live: bool
    notes: Sequence[str] = ()

    @abstractmethod
    def read(self) -> Frame | None:
        """The next frame, or None at the end.

        A frame that cannot be decoded comes back with `pixels` None and `fault` set; the stream
        goes on.

        Raises:
            InputError: the source broke off and cannot go on (a file cut short, a camera gone
                for good).
        """

    def close(self) -> None:  # noqa: B027 - most cameras hold nothing
        """Give the device or file back. Closing twice is fine."""

    def __enter__(self: Own) -> Own:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
