"""The health of a stream's frames: what is looked at, and where it is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.roi import Roi
from runtime.camera.base import Camera, Frame
from runtime.health import (
    OF_A_FRAME,
    OF_A_STREAM,
    HealthFault,
    HealthFinding,
    HealthLimits,
    HealthMonitor,
    SlowMonitor,
    Source,
)
from runtime.stream.ledger import Ledger


class StreamHealth:
    """Looks at frames as they come, and counts what is wrong in the accounts.

    `check` and `overrun` are called from the capture thread, `look` from the judge's.

    Args:
        limits: what is at fault.
        camera: whose frames.
        ledger: the accounts.
        bits: how many bits of uint16 are used, of frames that do not say.
        roi: what of the frames is judged; None for all of them.
    """

    def __init__(
        self,
        limits: HealthLimits,
        camera: Camera,
        ledger: Ledger,
        bits: int | None = None,
        *,
        roi: Roi | None = None,
    ) -> None:
        self._monitor = HealthMonitor(limits, source_of(camera), roi)
        self._slow = SlowMonitor(limits)
        self._ledger = ledger
        self._bits = bits
        self._told: dict[HealthFault, str] = {}
        for fault in (*OF_A_FRAME, *OF_A_STREAM):
            ledger.count_health(fault.value, 0)

    def check(self, frame: Frame) -> Frame:
        """Return a healthy frame as it is, and another one without pixels, with its `fault`.

        So a frame at fault is one that could not be decoded, to all who come after.
        """
        jump = self._monitor.examine_clock(frame.device_ns, frame.start_ns)
        if jump is not None:
            self._tell(jump)
        if frame.pixels is None:
            kind = HealthFault.MISSED_TRIGGER if frame.missed else HealthFault.DAMAGED
            finding: HealthFinding | None = HealthFinding(kind, frame.fault)
        else:
            bits = frame.bits or self._bits
            finding = self._monitor.examine(frame.pixels, frame.start_ns, bits=bits)
        if finding is None:
            return frame
        self._ledger.count_health(finding.fault.value)
        return replace(frame, pixels=None, fault=finding.reason)

    def look(self, batch: NDArray[np.uint8]) -> None:
        """Look at a frame as the model sees it: uint8, T×1×H×W, one image or its tiles."""
        for finding in self._slow.look(batch[len(batch) // 2, 0]):
            self._tell(finding)

    def overrun(self) -> None:
        """Count a frame that came before there was time for it."""
        words = "frames come faster than they are judged"
        self._tell(HealthFinding(HealthFault.OVERRUN, words))

    def notes(self) -> list[str]:
        """Return what a reader of the summary has to know: each fault of the stream once."""
        return [f"{fault}: {words}" for fault, words in self._told.items()]

    def _tell(self, finding: HealthFinding) -> None:
        self._ledger.count_health(finding.fault.value)
        self._told.setdefault(finding.fault, finding.words)


def with_outages(counted: Mapping[str, int], camera: Camera) -> dict[str, int]:
    """Add to the counted faults what a camera counts itself: its outages and the frames it left."""
    faults = dict(counted)
    overrun = HealthFault.OVERRUN.value
    if overrun in faults:
        faults[overrun] += camera.overtaken
    if camera.reconnects:
        faults |= {HealthFault.LOST.value: camera.losses, HealthFault.STALLED.value: camera.stalls}
    return faults


def source_of(camera: Camera) -> Source:
    """Return what may be expected of a camera's frames.

    The images of a folder have nothing to do with each other, whatever the rate at which they are
    played. A video is a sequence, and its encoder may have written a frame twice.
    """
    return Source(sequence=not camera.images, live=not camera.stored)
