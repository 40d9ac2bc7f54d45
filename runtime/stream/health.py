"""The health and the novelty of a stream's frames: what is looked at, and where it is counted."""

from __future__ import annotations

import logging
import threading
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
from runtime.novelty import DriftAlarm, DriftLevel, Novelty
from runtime.session import ENGINES, Session
from runtime.stream.ledger import Ledger

LOG = logging.getLogger("edgecl.stream")


class StreamHealth:
    """Looks at frames as they come, and counts what is wrong in the accounts.

    `check` and `overrun` are called from the capture thread, `look` from any judge's.

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
        self._looking = threading.Lock()
        self._told: dict[HealthFault, str] = {}
        for fault in (*OF_A_FRAME, *OF_A_STREAM):
            ledger.count_health(fault.value, 0)

    def change(self, limits: HealthLimits) -> None:
        """Look for faults beyond other limits; what changes slowly is watched anew."""
        self._monitor.change(limits)
        with self._looking:
            self._slow = SlowMonitor(limits)

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
        with self._looking:
            for finding in self._slow.look(batch[len(batch) // 2, 0]):
                self._tell(finding)

    def overrun(self) -> None:
        """Count a frame that came before there was time for it."""
        words = "frames come faster than they are judged"
        self._tell(HealthFinding(HealthFault.OVERRUN, words))

    def watch(self, fault: HealthFault) -> None:
        """Say in the accounts that a fault is looked for."""
        self._ledger.count_health(fault.value, 0)

    def begins(self, finding: HealthFinding) -> None:
        """Count a fault that was found elsewhere, and write it to the log."""
        LOG.warning("%s", finding.reason)
        self._tell(finding)

    def notes(self) -> list[str]:
        """Return what a reader of the summary has to know: each fault of the stream once."""
        return [f"{fault}: {words}" for fault, words in list(self._told.items())]

    def _tell(self, finding: HealthFinding) -> None:
        self._ledger.count_health(finding.fault.value)
        self._told.setdefault(finding.fault, finding.words)


class StreamNovelty:
    """Tells how far frames are from the training images. Any judge may ask.

    Args:
        novelty: of the bundle.
        session: that runs it; it may turn over to another form while the stream runs.
        health: takes the alarm; None for none.
    """

    def __init__(self, novelty: Novelty, session: Session, health: StreamHealth | None) -> None:
        self._novelty = novelty
        self._session = session
        self._health = health
        self._asking = threading.Lock()
        self._running: tuple[str, str, str | None] = ("", "", None)
        self._alarm = None
        if health is not None:
            self._alarm = DriftAlarm(novelty.images)
            health.watch(HealthFault.UNFAMILIAR)

    @classmethod
    def of(
        cls, novelty: Novelty | None, session: Session, health: StreamHealth | None
    ) -> StreamNovelty | None:
        """Return the same; None where the bundle does not tell."""
        return None if novelty is None else cls(novelty, session, health)

    @property
    def drift(self) -> DriftLevel | None:
        """Return how many of the last frames are far from training; None without an alarm."""
        with self._asking:
            return None if self._alarm is None else self._alarm.level

    def distance(self, embeddings: NDArray[np.float32]) -> float | None:
        """Return how far a frame is from the training images, 1 at the limit.

        Args:
            embeddings: float32, T×D, of its tiles, or of the one stretched frame.

        Returns:
            None where nothing is known of the form that the session runs.
        """
        form = self._form_now()
        if form is None:
            return None
        distance = self._novelty.relative_distance(embeddings, form)
        if self._alarm is not None and self._health is not None:
            with self._asking:
                words = self._alarm.look(distance > self._novelty.far[form])
            if words:
                self._health.begins(HealthFinding(HealthFault.UNFAMILIAR, words))
        return distance

    def _form_now(self) -> str | None:
        """Return the form that the session runs; None where nothing is known of it."""
        # Replaced as one, so that judges who ask at the same time need no lock.
        precision, engine, form = self._running
        session = self._session
        if precision != session.precision or engine != session.engine:
            precision, engine = session.precision, session.engine
            # An engine of the caller's own is none of those by name.
            target = ENGINES[engine].form if engine in ENGINES else "cpu"
            form = self._novelty.form(precision, target)
            self._running = (precision, engine, form)
        return form


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
