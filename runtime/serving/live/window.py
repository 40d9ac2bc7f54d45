"""A window on a camera's stream: the newest frames, kept where they lie for whoever may look."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.camera.base import Frame
from runtime.serving.live.state import COURSE, LETTERS, MOST_REJECTS
from runtime.stream.verdict import Status, Verdict

MOST_BYTES = 48 * 1024 * 1024
"""Pixels of frames that did not pass, of each camera, that are kept; the newest always is."""


@dataclass(frozen=True)
class KeptFrame:
    """Pixels of a frame.

    Args:
        pixels: as the camera delivered them.
        bits: how many of 16 are used; None where nothing tells.
    """

    number: int
    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    bits: int | None


class CameraWindow:
    """Keeps references to the newest frames of a stream.

    `take` is called between two frames: it copies nothing, waits for nothing, and takes about a
    microsecond. Everything else is for the thread that answers viewers.

    Args:
        bits: how many bits of 16-bit frames are used, of frames that do not say.
    """

    def __init__(self, bits: int | None = None, *, most_bytes: int = MOST_BYTES) -> None:
        self._bits = bits
        self._most_bytes = most_bytes
        self._newest: tuple[Verdict, KeptFrame | None] | None = None
        self._noticed: Verdict | None = None
        self._rejects: deque[Verdict] = deque(maxlen=MOST_REJECTS)
        self._kept: deque[KeptFrame] = deque()
        self._bytes = 0
        self._course: deque[str] = deque(maxlen=COURSE)
        self._awaited: threading.Event | None = None

    def take(self, frame: Frame, verdict: Verdict) -> None:
        """Take a frame whose verdict is out."""
        kept = None
        if frame.pixels is not None:
            kept = KeptFrame(frame.number, frame.pixels, frame.bits or self._bits)
        status = verdict.decision.status
        self._newest = verdict, kept
        self._course.append(LETTERS.get(status.value, "f"))  # the judge must not fail by it
        if status is not Status.PASS:
            self._noticed = verdict
            if kept is not None:
                self._rejects.append(verdict)
                self._keep(kept)
        awaited = self._awaited
        if awaited is not None:
            self._awaited = None
            awaited.set()

    def notify(self, event: threading.Event) -> None:
        """Set an event with the next verdict."""
        self._awaited = event

    @property
    def newest(self) -> tuple[Verdict, KeptFrame | None] | None:
        """Return the frame that was judged last; None before the first."""
        return self._newest

    @property
    def noticed(self) -> Verdict | None:
        """Return the newest verdict but `pass`; None before the first."""
        return self._noticed

    @property
    def rejects(self) -> list[Verdict]:
        """Return the newest verdicts but `pass` on frames with an image, the newest first."""
        return list(self._rejects)[::-1]

    @property
    def kept(self) -> list[KeptFrame]:
        """Return the pixels that are kept of these, the newest first."""
        return list(self._kept)[::-1]

    @property
    def course(self) -> str:
        """Return a letter of `LETTERS` per verdict, the newest last."""
        return "".join(list(self._course))

    def _keep(self, frame: KeptFrame) -> None:
        self._kept.append(frame)
        self._bytes += frame.pixels.nbytes
        while len(self._kept) > 1 and (
            len(self._kept) > MOST_REJECTS or self._bytes > self._most_bytes
        ):
            self._bytes -= self._kept.popleft().pixels.nbytes
