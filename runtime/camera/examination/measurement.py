"""Measurement of a camera: its frames taken for a while, and counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, Queue

from runtime.camera.base import Camera, Frame
from runtime.camera.examination.quality import FrameQuality, quality_of
from runtime.camera.examination.recording import Recorder
from runtime.errors import FrameError

QUALITY_EVERY_S = 0.1
"""Seconds from one frame whose light and focus are measured to the next: it costs time."""

SILENCE_S = 10.0
"""Seconds without a frame after which a recording ends before it is complete."""

MOST_FAULTS = 5
MOST_INTERVALS = 1_000_000

_TICK_S = 0.1
_LEAVE_S = 1.0


@dataclass
class FrameTally:
    """Outcome of a measurement.

    Args:
        frames: that came, broken ones included.
        faulty: frames without pixels.
        faults: why, of the first ones.
        shapes: count by shape and type of the frames.
        bits: used bits of uint16, where the camera says so.
        intervals_ns: from each frame to the next.
        qualities: light and focus of some frames.
        last: the latest whole frame.
        ended: whether the source came to its end.
        seconds: how long it took.
        failure: what ended it early.
    """

    frames: int = 0
    faulty: int = 0
    faults: list[str] = field(default_factory=list)
    shapes: dict[tuple[tuple[int, ...], str], int] = field(default_factory=dict)
    bits: int | None = None
    intervals_ns: list[int] = field(default_factory=list)
    qualities: list[FrameQuality] = field(default_factory=list)
    last: Frame | None = None
    ended: bool = False
    seconds: float = 0.0
    failure: BaseException | None = None
    _previous_ns: int | None = None
    _measured_ns: int | None = None

    def add(self, frame: Frame, bits: int | None = None) -> None:
        """Count a frame."""
        self.frames += 1
        if self._previous_ns is not None and len(self.intervals_ns) < MOST_INTERVALS:
            self.intervals_ns.append(frame.start_ns - self._previous_ns)
        self._previous_ns = frame.start_ns
        if frame.pixels is None:
            self.faulty += 1
            if len(self.faults) < MOST_FAULTS:
                self.faults.append(frame.fault)
            return
        kind = (frame.pixels.shape, str(frame.pixels.dtype))
        self.shapes[kind] = self.shapes.get(kind, 0) + 1
        self.bits = frame.bits or bits
        self.last = frame
        since_ns = frame.start_ns - (self._measured_ns or 0)
        if self._measured_ns is None or since_ns >= QUALITY_EVERY_S * 1e9:
            self._measured_ns = frame.start_ns
            try:
                self.qualities.append(quality_of(frame.pixels, self.bits))
            except FrameError as error:
                self.faults.append(str(error))


def measure(
    camera: Camera,
    seconds: float,
    *,
    bits: int | None = None,
    recorder: Recorder | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> FrameTally:
    """Take a camera's frames for a while, and until the recorder has enough.

    Args:
        camera: is closed at the end: its last read may not return otherwise.
        bits: used bits of uint16, of frames that do not say.
        recorder: is offered every frame.
        stopped: tells whether the user wants it to end.
    """
    found = FrameTally()
    reader = _Reader(camera)
    begin = heard = time.monotonic()
    while not stopped():
        now = time.monotonic()
        recording = recorder is not None and not recorder.full
        silent = camera.trigger is None and now - heard > SILENCE_S
        if now - begin >= seconds and (not recording or silent):
            break
        frame = reader.take()
        if frame is None:
            if reader.ended:
                found.ended, found.failure = reader.failure is None, reader.failure
                break
            continue
        heard = time.monotonic()
        found.add(frame, bits)
        if recorder is not None:
            recorder.offer(frame)
    found.seconds = time.monotonic() - begin
    reader.close()
    return found


class _Reader:
    """Reads a camera in a thread, for a read may never return."""

    def __init__(self, camera: Camera) -> None:
        self.failure: BaseException | None = None
        self._camera = camera
        self._finished = threading.Event()
        self._frames: Queue[Frame] = Queue(1)
        self._thread = threading.Thread(target=self._read, name="capture", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether there will be no more frames."""
        return self._finished.is_set() and self._frames.empty()

    def take(self) -> Frame | None:
        """Wait a moment for the next frame."""
        try:
            return self._frames.get(timeout=_TICK_S)
        except Empty:
            return None

    def close(self) -> None:
        """Close the camera, and leave the thread where it hangs."""
        self._camera.close()
        end = time.monotonic() + _LEAVE_S
        while self._thread.is_alive() and time.monotonic() < end:
            self.take()

    def _read(self) -> None:
        try:
            while (frame := self._camera.read()) is not None:
                self._frames.put(frame)
        except BaseException as error:  # told where the frames are taken
            self.failure = error
        finally:
            self._finished.set()
