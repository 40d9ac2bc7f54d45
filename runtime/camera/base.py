"""Interface of every camera."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from runtime.camera.address import CameraSource
from runtime.errors import FrameError, InputError
from runtime.secrets import redact


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
        bits: how many bits of uint16 pixels are used, where the source says so.
        device_ns: when the camera took it, in nanoseconds of the camera's own clock; None where it
            gives no time.
        missed: whether it stands for a frame that never came to its trigger.
        delay_ns: how much longer than the quickest frame before it was on its way from the camera,
            by the camera's own clock; None where it gives no time.
    """

    number: int
    pixels: NDArray[np.uint8] | NDArray[np.uint16] | None
    start_ns: int
    ready_ns: int
    fault: str = ""
    name: str = ""
    truth: str = ""
    bits: int | None = None
    device_ns: int | None = None
    missed: bool = False
    delay_ns: int | None = None


def as_pixels(delivered: NDArray[np.generic]) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return a delivered frame's pixels: uint8 or uint16, never wrapped round.

    Raises:
        FrameError: the samples are of another type.
    """
    if delivered.dtype not in (np.uint8, np.uint16):
        raise FrameError(f"the driver delivers {delivered.dtype}, not uint8 or uint16")
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
        fps: frames per second that the camera itself keeps, as it was asked to; None where it
            keeps none.
        reconnects: True where a camera that is lost is opened again.
        losses: how often its stream broke or ended.
        stalls: how often it sent nothing for too long, while its connection stood.
        overtaken: frames passed over before they were read, since too many waited.
        trigger: what frames wait for, as it was asked to; None where they come by themselves.
        takes_settings: whether it was given the settings that were asked for.
    """

    name: str
    live: bool
    images: Sequence[Path] = ()
    notes: Sequence[str] = ()
    fps: float | None = None
    reconnects: bool = False
    losses: int = 0
    stalls: int = 0
    overtaken: int = 0
    trigger: str | None = None
    takes_settings: bool = False

    @property
    def settings(self) -> Mapping[str, str]:
        """Return the camera's settings by feature, where it tells them."""
        return {}

    @property
    def statistics(self) -> Mapping[str, int]:
        """Return what camera and driver count, by name; also after the camera was closed."""
        return {}

    @property
    def link(self) -> Mapping[str, str | int]:
        """Return facts of the connection, such as `packet_size`, where the camera tells them."""
        return {}

    @property
    def seconds_lost(self) -> float:
        """Return the seconds without frames in all outages."""
        return 0.0

    @property
    def away(self) -> bool:
        """Whether it is lost now, and opened again."""
        return False

    @property
    def stored(self) -> bool:
        """Whether frames were recorded before; also those of a file that is played at a rate."""
        return not self.live

    @abstractmethod
    def read(self) -> Frame | None:
        """The next frame, or None at the end.

        A frame that cannot be decoded comes back with `pixels` None and `fault` set; the stream
        goes on.

        Raises:
            InputError: a file breaks off.
            EquipmentError: a camera is gone for good, or was not back in time.
        """

    def close(self) -> None:  # noqa: B027 - most cameras have nothing to free
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


@dataclass(frozen=True)
class CameraRequest:
    """The argument of an opener of cameras, as `--camera` gives it.

    Args:
        source: what to open.
        fps: frames per second that were asked for; a camera that keeps them sets its `fps`, and
            what is stored is played at that rate.
        seed: of what is drawn.
        report: is told, in one line, when a live camera is lost and when it is back.
        give_up_after: seconds after which a lost camera ends the stream; None for never.
        trigger: what frames wait for: `software`, `line` or `external`; a camera that takes it
            sets its `trigger`.
        settings: value by feature, in the order in which they are to be set; a camera that takes
            them has `takes_settings`.
    """

    source: CameraSource
    fps: float | None = None
    seed: int = 0
    report: Callable[[str], None] = lambda text: None
    give_up_after: float | None = None
    trigger: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def refuse_fps(self) -> None:
        """Refuse a frame rate, for cameras that have one of their own.

        Raises:
            InputError: one was asked for.
        """
        if self.fps is not None:
            raise InputError(
                f"camera {redact(self.source.text)} sets its own frame rate",
                hint="use --fps only with files and the demo",
            )


OpenCamera = Callable[[CameraRequest], Camera]
"""Opens a camera; raises InputError where its source cannot be used."""
