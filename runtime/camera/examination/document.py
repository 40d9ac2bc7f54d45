"""camera.json: what was found out about a camera, also what `edgecl camera --json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from runtime.camera.base import Camera
from runtime.camera.examination.measurement import FrameTally
from runtime.camera.examination.network import LinkFinding
from runtime.camera.examination.recording import Recorder
from runtime.files.document import Document, Part


class Intervals(Part, frozen=True, kw_only=True):
    """Times from one frame to the next, in ms."""

    p50_ms: float
    p99_ms: float
    max_ms: float


class Light(Part, frozen=True, kw_only=True):
    """Light and focus, over the frames that were measured.

    Args:
        frames: how many those were.
        brightness: median of the means, as a share of white.
        brightness_min, brightness_max: of the means.
        saturated: median share of pixels at the upper end of the scale.
        black: median share at its lower end.
        focus: median of the gradient energy, in squared levels of 0 to 255.
    """

    frames: int
    brightness: float
    brightness_min: float
    brightness_max: float
    saturated: float
    black: float
    focus: float


class FrameSize(Part, frozen=True, kw_only=True):
    """A size of frames, and how many had it.

    Args:
        channels: 1 is gray, 3 is BGR.
        dtype: `uint8` or `uint16`.
    """

    width: int
    height: int
    channels: int
    dtype: str
    frames: int


class NetworkFinding(Part, frozen=True, kw_only=True):
    """Finding of the network doctor; `next_step` is None where nothing has to be done."""

    name: str
    value: str
    state: Literal["good", "poor", "unknown"]
    next_step: str | None


class Recording(Part, frozen=True, kw_only=True):
    """Recorded frames: folder, images in it by this recording, and frames left out between."""

    folder: str
    images: int
    skipped: int


class CameraReport(Document, frozen=True, kw_only=True):
    """Report on a camera.

    Args:
        camera: its name.
        live: whether a frame that nobody takes in time is lost.
        started: the wall clock, ISO 8601.
        seconds: how long it was measured.
        frames: that came, faulty ones included.
        faulty: frames that could not be used.
        faults: why, of the first ones.
        frames_per_second: from the first to the last frame; None for fewer than two.
        intervals: None for fewer than two frames.
        sizes: more than one where the size changed.
        bits: used bits of uint16; None where the camera does not say.
        light: None where no frame was whole.
        losses, stalls: how often the camera was lost.
        seconds_lost: without frames in these.
        settings: by feature, where the camera tells them.
        statistics: counts of camera and driver by name.
        network: None for cameras without a network that can be examined.
        notes: what the user should know.
        snapshot: file of the last frame.
        recording: None where nothing was recorded.
    """

    WHAT: ClassVar[str] = "the report on a camera"
    REMEDY: ClassVar[str] = "run 'edgecl camera --json' again"

    schema: Literal[1] = 1
    camera: str
    live: bool
    started: str
    seconds: float
    frames: int
    faulty: int
    faults: tuple[str, ...]
    frames_per_second: float | None
    intervals: Intervals | None
    sizes: tuple[FrameSize, ...]
    bits: int | None
    light: Light | None
    losses: int
    stalls: int
    seconds_lost: float
    settings: dict[str, str]
    statistics: dict[str, int]
    network: tuple[NetworkFinding, ...] | None
    notes: tuple[str, ...]
    snapshot: str | None
    recording: Recording | None


def report_on(
    camera: Camera,
    measurement: FrameTally,
    started: datetime,
    *,
    network: Sequence[LinkFinding] | None = None,
    notes: Sequence[str] = (),
    snapshot: Path | None = None,
    recorder: Recorder | None = None,
) -> CameraReport:
    """Put together what was found out."""
    return CameraReport(
        camera=camera.name,
        live=camera.live,
        started=started.isoformat(timespec="milliseconds"),
        seconds=measurement.seconds,
        frames=measurement.frames,
        faulty=measurement.faulty,
        faults=tuple(measurement.faults),
        frames_per_second=frame_rate(measurement),
        intervals=_intervals(measurement),
        sizes=tuple(
            FrameSize(
                width=shape[1],
                height=shape[0],
                channels=shape[2] if len(shape) == 3 else 1,
                dtype=dtype,
                frames=count,
            )
            for (shape, dtype), count in measurement.shapes.items()
        ),
        bits=measurement.bits,
        light=_light(measurement),
        losses=camera.losses,
        stalls=camera.stalls,
        seconds_lost=camera.seconds_lost,
        settings=dict(camera.settings),
        statistics=dict(camera.statistics),
        network=None
        if network is None
        else tuple(
            NetworkFinding(
                name=one.name,
                value=one.value,
                state=one.state,  # type: ignore[arg-type]
                next_step=one.next_step or None,
            )
            for one in network
        ),
        notes=tuple(notes),
        snapshot=None if snapshot is None else str(snapshot),
        recording=None
        if recorder is None
        else Recording(
            folder=str(recorder.folder), images=recorder.written, skipped=recorder.skipped
        ),
    )


def frame_rate(measurement: FrameTally) -> float | None:
    """Return the frames per second from the first frame to the last; None for fewer than two."""
    nanoseconds = sum(measurement.intervals_ns)
    return len(measurement.intervals_ns) * 1e9 / nanoseconds if nanoseconds > 0 else None


def _intervals(measurement: FrameTally) -> Intervals | None:
    if not measurement.intervals_ns:
        return None
    times = np.asarray(measurement.intervals_ns) / 1e6
    middle, tail = np.quantile(times, [0.5, 0.99]).tolist()
    return Intervals(p50_ms=middle, p99_ms=tail, max_ms=float(times.max()))


def _light(measurement: FrameTally) -> Light | None:
    found = measurement.qualities
    if not found:
        return None
    brightness = [one.brightness for one in found]
    return Light(
        frames=len(found),
        brightness=float(np.median(brightness)),
        brightness_min=min(brightness),
        brightness_max=max(brightness),
        saturated=float(np.median([one.saturated for one in found])),
        black=float(np.median([one.black for one in found])),
        focus=float(np.median([one.focus for one in found])),
    )
