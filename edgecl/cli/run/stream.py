"""One stream of `edgecl run` or of the demo, from its parts to its summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console

from edgecl.cli.run.view import stream_view
from edgecl.cli.signals import stop_signals
from runtime.camera import Camera
from runtime.camera.outages import Outages
from runtime.session import Candidate, Session
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.sinks import JsonLinesSink, Sink
from runtime.stream.summary import Realtime, StreamEnd, StreamSummary, summarise

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

    def run(self, console: Console) -> StreamEnd:
        """Judge until the camera ends, the frame limit is reached, or somebody stops it."""
        sinks = [self.sink, *self.more_sinks]
        pipeline = Pipeline(
            self.camera,
            self.session,
            self.settings,
            sinks,
            own_process=True,
            late_sink=self.late_sink,
        )
        started = datetime.now(timezone.utc)
        with stop_signals() as stopped:
            pipeline.start()
            with stream_view(console, pipeline, self.settings.rules.budget) as refresh:
                while not pipeline.wait(_REFRESH_S) and not stopped:
                    refresh()
            snapshot = pipeline.close()
            for sink in sinks:
                sink.close()
            if self.late_sink is not None:
                close_late(self.late_sink)
        return StreamEnd(
            snapshot, pipeline.seconds, bool(stopped), pipeline.failure, pipeline.notes, started
        )

    def opening_line(self) -> str:
        """Describe the chosen session, the reason, and what it will judge."""
        tiling = self.session.contract.input.tiling
        line = f"{self.model.name}: {self.session.describe()}"
        if self.candidates:
            best, *others = self.candidates
            line += f", {best.median_ms:.2f} ms" + (" per tile" if tiling else "")
            rest = ", ".join(f"{c.precision} {c.engine} {c.median_ms:.2f}" for c in others)
            line += f", the fastest here ({rest})"
        policy = "every frame" if self.settings.every_frame else "the latest frame"
        seen = [self.session.view.describe(), tiling.describe() if tiling else ""]
        if any(seen):
            line += f"\n{', '.join(filter(None, seen))}"
        return f"{line}\n{self.camera.name}: {policy}; verdicts in {self.sink.path}"

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
        )


def close_late(sink: JsonLinesSink) -> None:
    """Close the file of late answers, and remove it where there was none."""
    sink.close()
    if not sink.written and not sink.lost:
        sink.path.unlink(missing_ok=True)
