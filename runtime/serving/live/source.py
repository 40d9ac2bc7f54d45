"""Answers to the serving process, put together from what the streams keep of themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from runtime.camera.base import Camera
from runtime.health import OF_A_FRAME
from runtime.secrets import redact
from runtime.serving.live.state import (
    Ask,
    CameraState,
    DriftState,
    LineState,
    Seen,
    Sent,
    ShadowState,
    StepState,
    Told,
)
from runtime.serving.live.window import CameraWindow, KeptFrame
from runtime.stream.answering.shadow import Shadow, ShadowAccount
from runtime.stream.budget import TOTAL
from runtime.stream.health import with_outages
from runtime.stream.heat_maps import HeatMapWriter
from runtime.stream.latency import LatencyHistogram
from runtime.stream.ledger import Snapshot
from runtime.stream.parts.summary import PartsAccount
from runtime.stream.pipeline import Pipeline
from runtime.stream.sinks import JsonLinesSink, Sink
from runtime.stream.sinks.accounts import sink_accounts, verdict_file
from runtime.stream.verdict import Verdict

MOST_PIXELS = 2_000_000
"""Pixels of an image that are sent; of a larger one every second, third, … row and column."""

BREATH_S = 5e-5
"""Time that an answer leaves the interpreter to the judge between two of its parts, in seconds."""

VERDICT_S = 0.05
"""Longest wait for a verdict, in seconds: an answer is given just after one, while the judge waits
for the next frame."""

AT_ONCE = 2
"""Earlier rejects whose pixels an answer has at most, of each camera."""


class PartsSource(Protocol):
    """Joins the cameras' verdicts to those on parts."""

    @property
    def account(self) -> PartsAccount:
        """Return the counts so far."""
        ...


@dataclass(frozen=True)
class ShownStream:
    """A stream that the page shows.

    Args:
        name: of one camera among several; empty for the only one.
        file: takes the verdicts.
        heat_maps: of the rejects; None where none are wanted.
        shadow: a second model that judges beside the first; None where there is none.
    """

    name: str
    pipeline: Pipeline
    camera: Camera
    window: CameraWindow
    file: JsonLinesSink
    heat_maps: HeatMapWriter | None = None
    shadow: Shadow | None = None


@dataclass
class LiveSource:
    """The line that the page shows. `answer` is called from one thread.

    Args:
        title: of the page.
        model: the session in words.
        lot: empty without a name.
        sinks: that take the verdicts of all.
        parts: where verdicts are joined to those on parts.
    """

    title: str
    model: str
    lot: str = ""
    sinks: Sequence[Sink] = ()
    parts: PartsSource | None = None
    streams: list[ShownStream] = field(default_factory=list)
    started: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat())
    _seen: dict[str, dict[int, Seen]] = field(default_factory=dict)  # rejects that were told

    def watch(self, stream: ShownStream) -> None:
        """Show a stream, too."""
        self.streams.append(stream)

    def answer(self, ask: Ask) -> tuple[Told, list[NDArray[np.generic]]]:
        """Return how the line is, just after a verdict, and the pixels of images not held."""
        self._await_verdict()
        images: list[Sent] = []
        arrays: list[NDArray[np.generic]] = []
        for stream in self.streams:
            held = set(ask.held.get(stream.name, ()))
            for kept in _wanted(stream.window, held):
                _breathe()
                pixels = reduced(kept.pixels)
                arrays.append(pixels)
                dtype = str(pixels.dtype)
                images.append(
                    Sent(
                        camera=stream.name,
                        frame=kept.number,
                        shape=pixels.shape,
                        dtype=dtype,
                        bits=kept.bits,
                    )
                )
        told = Told(
            state=self.state(),
            images=tuple(images),
            heat_maps={stream.name: _maps(stream) for stream in self.streams},
        )
        return told, arrays

    def _await_verdict(self) -> None:
        """Wait for the next verdict of any camera, but not for long."""
        spoken = threading.Event()
        for stream in self.streams:
            stream.window.notify(spoken)
        spoken.wait(VERDICT_S)

    def state(self) -> LineState:
        """Return how the line is."""
        cameras = tuple(
            _camera_state(stream, self._seen.setdefault(stream.name, {})) for stream in self.streams
        )
        return LineState(
            title=self.title,
            model=self.model,
            lot=self.lot,
            started=self.started,
            cameras=cameras,
            sinks=sink_accounts(self.sinks),
            parts=None if self.parts is None else self.parts.account.statuses,
            ended=bool(cameras) and all(c.state in ("ended", "failed") for c in cameras),
        )


def _breathe() -> None:
    """Let other threads have the interpreter."""
    time.sleep(BREATH_S)


def reduced(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return an image of at most `MOST_PIXELS`, C-contiguous; what is small enough as it is.

    Args:
        pixels: H×W or H×W×C.
    """
    step = 1
    while pixels[::step, ::step].shape[0] * pixels[::step, ::step].shape[1] > MOST_PIXELS:
        step += 1
    return np.ascontiguousarray(pixels[::step, ::step])


def _wanted(window: CameraWindow, held: set[int]) -> list[KeptFrame]:
    newest = window.newest
    first = [] if newest is None or newest[1] is None else [newest[1]]
    known = held | {kept.number for kept in first}
    earlier = [kept for kept in window.kept if kept.number not in known]
    return [kept for kept in first if kept.number not in held] + earlier[:AT_ONCE]


def _maps(stream: ShownStream) -> dict[int, str]:
    if stream.heat_maps is None:
        return {}
    return {number: str(path) for number, path in stream.heat_maps.newest.items()}


def _camera_state(stream: ShownStream, told: dict[int, Seen]) -> CameraState:
    """Return a camera's state.

    Args:
        told: rejects as they were told before, which is kept up to date.
    """
    pipeline, camera, window = stream.pipeline, stream.camera, stream.window
    _breathe()
    snapshot = pipeline.ledger.snapshot()
    _breathe()
    newest, noticed = window.newest, window.noticed
    rejects = {verdict.number: verdict for verdict in window.rejects}
    sizes = {kept.number: _size(kept) for kept in window.kept}
    for number in told.keys() - rejects.keys():
        del told[number]
    for number in rejects.keys() - told.keys():
        told[number] = _seen(rejects[number], sizes.get(number))
    now_ns, maps = time.monotonic_ns(), _maps(stream)

    def now(verdict: Verdict, size: tuple[int, int] | None) -> Seen:
        seen = told.get(verdict.number) or _seen(verdict, size)
        age_s = max(0, now_ns - verdict.captured_ns) / 1e9
        return replace(seen, age_s=age_s, size=size, heat_map=verdict.number in maps)

    state, problem = _state(pipeline, camera, snapshot)
    drift, mark = pipeline.drift, pipeline.judges.recipe.mark
    limits = pipeline.settings.rules.budget.limits
    counted = with_outages(snapshot.health, camera)
    return CameraState(
        name=stream.name,
        recipe=mark.id,
        bundle=mark.bundle if mark.id else "",
        shadow=None if stream.shadow is None else _shadow(stream.shadow.account()),
        source=redact(camera.name),
        state=state,
        problem=redact(problem),
        losses=camera.losses + camera.stalls,
        seconds_lost=camera.seconds_lost,
        seconds=pipeline.seconds,
        fps=(snapshot.judged + snapshot.faulty) / max(pipeline.seconds, 1e-9),
        captured=snapshot.captured,
        judged=snapshot.judged,
        dropped=snapshot.dropped,
        faulty=snapshot.faulty,
        misses=snapshot.misses,
        late=snapshot.late,
        held_back=snapshot.held_back,
        statuses=dict(snapshot.statuses),
        known=snapshot.known,
        right=snapshot.right,
        steps=tuple(
            _step(name, histogram, limits.get(name), snapshot.misses_by_step.get(name, 0))
            for name, histogram in snapshot.histograms.items()
        ),
        course=window.course,
        newest=None
        if newest is None
        else now(newest[0], None if newest[1] is None else _size(newest[1])),
        noticed=None if noticed is None else now(noticed, sizes.get(noticed.number)),
        rejects=tuple(now(verdict, sizes.get(number)) for number, verdict in rejects.items()),
        health=counted,
        faults_of_frames=tuple(fault.value for fault in OF_A_FRAME),
        health_notes=tuple(redact(note) for note in pipeline.health_notes),
        drift=None
        if drift is None
        else DriftState(
            far=drift.far, counted=drift.counted, window=drift.window, alarm_from=drift.least
        ),
        verdicts=verdict_file(stream.file),
        heat_maps_problem=None if stream.heat_maps is None else stream.heat_maps.account().problem,
    )


def _state(pipeline: Pipeline, camera: Camera, snapshot: Snapshot) -> tuple[str, str]:
    if pipeline.wait(0):
        failure = pipeline.failure
        return ("ended", "") if failure is None else ("failed", str(failure))
    if camera.away:
        return "lost", ""
    return ("running" if snapshot.last is not None else "waiting"), ""


def _shadow(account: ShadowAccount) -> ShadowState:
    compared = account.comparison
    return ShadowState(
        model=Path(account.model).name,
        answered=compared.frames,
        disagreed=compared.disagreed,
        dropped=account.dropped,
        problem=redact(account.problem or ""),
    )


def _seen(verdict: Verdict, size: tuple[int, int] | None) -> Seen:
    """Return a verdict as it is told, without what changes: its age and whether it has a map."""
    line = verdict.line()
    return Seen(
        frame=line.frame,
        status=line.status.value,
        captured_at=line.captured_at,
        age_s=0.0,
        label=line.label,
        confidence=line.confidence,
        reason=redact(line.reason),
        distance=line.distance,
        late=line.late,
        answer=None if line.answer is None else line.answer.value,
        total_ms=verdict.steps.get(TOTAL, 0) / 1e6,
        size=size,
        worst_tile=line.worst_tile,
    )


def _size(kept: KeptFrame) -> tuple[int, int]:
    height, width = kept.pixels.shape[:2]
    return width, height


def _step(name: str, histogram: LatencyHistogram, limit: int | None, over: int) -> StepState:
    middle, tail = histogram.percentiles([0.5, 0.99])
    return StepState(
        step=name,
        last_ms=histogram.last / 1e6,
        p50_ms=middle / 1e6,
        p99_ms=tail / 1e6,
        max_ms=histogram.maximum / 1e6,
        limit_ms=None if limit is None else limit / 1e6,
        over=over,
    )
