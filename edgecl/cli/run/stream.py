"""One stream of `edgecl run` or of the demo, from its parts to its summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from rich.console import Console

from edgecl.cli.run.page import LivePage
from edgecl.cli.run.recipes.commands import Beside, nothing_beside
from edgecl.cli.run.service.supervision import Supervision
from edgecl.cli.run.view import stream_view
from edgecl.cli.signals import stop_signals
from runtime.camera import Camera, Frame
from runtime.camera.outages import Outages
from runtime.serving.live.window import CameraWindow
from runtime.session import Candidate, Session
from runtime.stream.answering.shadow import Shadow
from runtime.stream.heat_maps import HeatMapWriter
from runtime.stream.metrics.endpoint import MetricsEndpoint
from runtime.stream.metrics.families import rendered
from runtime.stream.metrics.watched import WatchedStation, WatchedStream
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.recipes.recipe import RecipeMark
from runtime.stream.sinks import JsonLinesSink, Sink, StreamFacts
from runtime.stream.summary import Realtime, StreamEnd, StreamSummary, summarise
from runtime.stream.verdict import Verdict

_REFRESH_S = 0.4


@dataclass
class InspectionStream:
    """The parts of one `edgecl run`, and what is told about them."""

    model: Path
    camera: Camera
    session: Session
    candidates: Sequence[Candidate]
    settings: Settings
    sink: JsonLinesSink
    outages: Outages = field(default_factory=Outages)
    remarks: list[str] = field(default_factory=list)
    more_sinks: Sequence[Sink] = ()
    late_sink: JsonLinesSink | None = None
    realtime: Realtime | None = None
    workers: int = 1
    heat_maps: HeatMapWriter | None = None
    mark: RecipeMark | None = None
    beside: Beside = nothing_beside
    shadow: Shadow | None = None
    metrics: MetricsEndpoint | None = None
    facts: StreamFacts = field(default_factory=StreamFacts)
    window: CameraWindow | None = None
    page: LivePage | None = None

    def run(self, console: Console, supervision: Supervision | None = None) -> StreamEnd:
        """Judge until the camera ends, the frame limit is reached, or somebody stops it."""
        supervision = supervision or Supervision()
        pipeline = self.pipeline(own_process=True)
        if self.page is not None:
            self.page.show({"": self}, {"": pipeline}, self.more_sinks)
        started = datetime.now(timezone.utc)
        with stop_signals(supervision.asked) as stopped, self.beside({"": pipeline}):
            pipeline.start()
            supervision.begin({"": pipeline})
            if self.metrics is not None:
                watched = [self.watched("", pipeline, pipeline.sinks)]
                station = WatchedStation(self.facts, self.session, watched)
                self.metrics.start(partial(rendered, station))
            with stream_view(console, pipeline, self.settings.rules.budget) as refresh:
                while not pipeline.wait(_REFRESH_S) and not stopped:
                    refresh()
                    supervision.look()
            supervision.end()
            snapshot = pipeline.close()
            if self.metrics is not None:
                self.metrics.close()
            self.close_sinks()
        return StreamEnd(
            snapshot, pipeline.seconds, bool(stopped), pipeline.failure, pipeline.notes, started
        )

    def pipeline(self, *, own_process: bool) -> Pipeline:
        """Return the stream, not yet started."""
        return Pipeline(
            self.camera,
            self.session,
            self.settings,
            [self.sink, *self.more_sinks],
            own_process=own_process,
            late_sink=self.late_sink,
            workers=self.workers,
            on_reject=self.heat_maps.take if self.heat_maps else None,
            on_verdict=to_each(self.shadow, self.window),
            mark=self.mark,
        )

    def watched(self, name: str, pipeline: Pipeline, sinks: Sequence[Sink]) -> WatchedStream:
        """Return the stream for those who ask how it goes.

        Args:
            name: of the camera, among several.
            pipeline: that runs.
            sinks: of this camera alone.
        """
        return WatchedStream(name, pipeline, self.camera, sinks, self.heat_maps)

    def close_sinks(self) -> None:
        """Write what waits, and close the files."""
        for sink in (self.sink, *self.more_sinks):
            sink.close()
        if self.late_sink is not None:
            close_late(self.late_sink)
        if self.heat_maps is not None:
            self.heat_maps.close()
        if self.shadow is not None:
            self.shadow.close()

    def opening_line(self) -> str:
        """Describe the chosen session, the reason, and what it will judge."""
        return f"{self.model_line()}\n{self.camera_line()}"

    def model_line(self) -> str:
        """Describe the chosen session and the reason."""
        tiling = self.session.contract.input.tiling
        line = f"{self.model.name}: {self.session.describe()}"
        line += f", {self.workers} workers" if self.workers > 1 else ""
        if self.candidates:
            best, *others = self.candidates
            line += f", {best.median_ms:.2f} ms" + (" per tile" if tiling else "")
            rest = ", ".join(f"{c.precision} {c.engine} {c.median_ms:.2f}" for c in others)
            line += f", the fastest here ({rest})"
        seen = [self.session.view.describe(), tiling.describe() if tiling else ""]
        line = f"{line}\n{', '.join(filter(None, seen))}" if any(seen) else line
        return f"{line}\n{self.shadow.describe()}" if self.shadow else line

    def camera_line(self) -> str:
        """Describe the camera, which of its frames are judged, and where the verdicts go."""
        policy = "every frame" if self.settings.every_frame else "the latest frame"
        return f"{self.camera.name}: {policy}; verdicts in {self.sink.path}"

    def summary(self, outcome: StreamEnd) -> StreamSummary:
        """Return what `--json` prints and summary.json holds."""
        return summarise(
            outcome,
            model=self.model,
            camera=self.camera,
            session=self.session,
            settings=self.settings,
            sink=self.sink,
            more_sinks=self.more_sinks,
            candidates=self.candidates,
            outages=self.outages,
            remarks=self.remarks,
            realtime=self.realtime,
            workers=self.workers,
            heat_maps=self.heat_maps.account() if self.heat_maps else None,
            shadow=self.shadow.account() if self.shadow else None,
        )


def to_each(*takers: Shadow | CameraWindow | None) -> Callable[[Frame, Verdict], None] | None:
    """Return what hands frames and verdicts to all who take them; None where nobody does."""
    takes = [taker.take for taker in takers if taker is not None]
    if len(takes) < 2:
        return takes[0] if takes else None

    def take(frame: Frame, verdict: Verdict) -> None:
        for each in takes:
            each(frame, verdict)

    return take


def close_late(sink: JsonLinesSink) -> None:
    """Close the file of late answers, and remove it where there was none."""
    sink.close()
    if not sink.written and not sink.lost:
        sink.path.unlink(missing_ok=True)
