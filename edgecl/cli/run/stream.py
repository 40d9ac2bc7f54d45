"""One stream of `edgecl run` or of the demo, from its parts to its summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console

from edgecl.cli.run.view import stream_view
from edgecl.cli.signals import stop_signals
from runtime.camera import Camera
from runtime.camera.outages import Outages
from runtime.session import Candidate, Session
from runtime.stream.ledger import Snapshot
from runtime.stream.pipeline import Pipeline, Settings
from runtime.stream.sinks import JsonLinesSink, Sink

SUMMARY_SCHEMA = 1

_REFRESH_S = 0.4


@dataclass(frozen=True)
class StreamEnd:
    """Outcome of a stream.

    Args:
        snapshot: the accounts.
        seconds: how long it ran.
        interrupted: whether Ctrl-C or SIGTERM ended it.
        failure: what ended it early, if anything did.
        notes: what had to be left behind.
        started: the wall clock at the start.
    """

    snapshot: Snapshot
    seconds: float
    interrupted: bool
    failure: BaseException | None
    notes: Sequence[str]
    started: datetime


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

    def run(self, console: Console) -> StreamEnd:
        """Judge until the camera ends, the frame limit is reached, or somebody stops it."""
        sinks = [self.sink, *self.more_sinks]
        pipeline = Pipeline(self.camera, self.session, self.settings, sinks, own_process=True)
        started = datetime.now(timezone.utc)
        with stop_signals() as stopped:
            pipeline.start()
            with stream_view(console, pipeline, self.settings.rules.budget) as refresh:
                while not pipeline.wait(_REFRESH_S) and not stopped:
                    refresh()
            snapshot = pipeline.close()
            for sink in sinks:
                sink.close()
        return StreamEnd(
            snapshot, pipeline.seconds, bool(stopped), pipeline.failure, pipeline.notes, started
        )

    def opening_line(self) -> str:
        """Describe the chosen session, the reason, and what it will judge."""
        line = f"{self.model.name}: {self.session.describe()}"
        if self.candidates:
            best, *others = self.candidates
            line += f", {best.median_ms:.2f} ms"
            rest = ", ".join(f"{c.precision} {c.engine} {c.median_ms:.2f}" for c in others)
            line += f", the fastest here ({rest})"
        policy = "every frame" if self.settings.every_frame else "the latest frame"
        return f"{line}\n{self.camera.name}: {policy}; verdicts in {self.sink.path}"

    def summary(self, outcome: StreamEnd) -> dict[str, Any]:
        """The document behind `--json` and `summary.json`."""
        snapshot = outcome.snapshot
        judged = snapshot.judged + snapshot.faulty
        failure = outcome.failure
        return {
            "schema": SUMMARY_SCHEMA,
            **snapshot.to_json(),
            "budget_ms": self.settings.rules.budget.to_json(),
            "unsure_below": self.settings.rules.unsure_below,
            "policy": "every-frame" if self.settings.every_frame else "latest",
            "seconds": outcome.seconds,
            "frames_per_second": judged / outcome.seconds if outcome.seconds else 0.0,
            "started": outcome.started.isoformat(timespec="milliseconds"),
            "camera": self.camera.name,
            "model": str(self.model),
            "labels": list(self.session.contract.labels),
            "precision": self.session.precision,
            "engine": self.session.engine,
            "engine_version": self.session.version,
            "device": self.session.device,
            "candidates": [vars(candidate) for candidate in self.candidates],
            "interrupted": outcome.interrupted,
            "error": None if failure is None else str(failure),
            "notes": [*self.remarks, *outcome.notes],
            "camera_outages": self.outages.lines,
            "camera_outage_lines": self.outages.count,
            "verdicts": {
                "file": str(self.sink.path),
                "written": self.sink.written,
                "lost": self.sink.lost,
                "problem": self.sink.problem or None,
            },
            "sinks": [
                {"name": sink.name, "lost": sink.lost, "problem": sink.problem or None}
                for sink in self.more_sinks
            ],
        }
