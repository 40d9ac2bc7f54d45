"""What every camera offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from runtime.errors import FrameError


@dataclass(frozen=True)
class Frame:
    """One captured frame.

    Args:
        number: counts from 0, without gaps, over everything that the camera delivered.
        pixels: H×W (gray) or H×W×3 (BGR), uint8 or uint16; None where the frame could not be
            decoded.
        start_ns: monotonic nanoseconds when the image was at hand, still encoded; the budget
            for the whole counts from here.
        ready_ns: monotonic nanoseconds when the pixels were ready; the capture step is
            `ready_ns - start_ns`.
        fault: why there are no pixels; empty otherwise.
        name: the file it came from, where there is one.
        truth: the label that a demo camera or a class folder knows; empty otherwise.
        bits: how many bits of uint16 pixels carry the image, where the source says so.
    """

    number: int
    pixels: NDArray[np.uint8] | NDArray[np.uint16] | None
    start_ns: int
    ready_ns: int
    fault: str = ""
    name: str = ""
    truth: str = ""
    bits: int | None = None


def as_pixels(delivered: NDArray[np.generic]) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """What a driver delivered, as a frame's pixels: uint8 or uint16, never wrapped round.

    Raises:
        FrameError: the samples are of another type.
    """
    if delivered.dtype not in (np.uint8, np.uint16):
        raise FrameError(f"the driver delivers {delivered.dtype}, neither uint8 nor uint16")
    pixels: NDArray[np.uint8] = delivered  # type: ignore[assignment]
    return pixels


_Own = TypeVar("_Own", bound="Camera")


class Camera(ABC):
    """A source of frames. Read from one thread; close from any.

    Attributes:
        name: what was opened, in words, for messages.
        live: True where a frame that nobody takes in time is lost (a camera, the demo line);
            False where the source waits (a file, a folder).
        images: the files of a folder, all that will be read.
        notes: what a reader of the results must know of what the source holds.
    """

    name: str
    live: bool
    images: Sequence[Path] = ()
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

    def __enter__(self: _Own) -> _Own:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
