"""Write docs/schemas/*.json from the documents' types: `python -m docs.json_schemas`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec

from calibration.record import CalibrationRecord
from edgecl.data.audit.summary import AuditSummary
from edgecl.learning.documents import JournalRecord, MetricsLine, RunConfig, RunResult
from edgecl.picking.documents import PickSummary
from edgecl.review.decisions.standing import DecisionLine
from edgecl.review.export.documents import ReviewExport
from edgecl.study.documents import StudySummary
from edgecl.tuning.documents import TuningSummary
from runtime.artifact.engine_file import EngineSidecar
from runtime.artifact.manifest import Manifest
from runtime.benchmark.comparison import LatencyComparison
from runtime.benchmark.document import LatencyReport
from runtime.camera.examination.document import CameraReport
from runtime.files.document import Document
from runtime.image.flat.field import FlatRecord
from runtime.stream.answering.comparing import Disagreement
from runtime.stream.answering.replay import ReplayReport
from runtime.stream.archive.history import History
from runtime.stream.checking.report import CheckReport, SceneReference
from runtime.stream.heat_maps import HeatMapLine
from runtime.stream.parts.verdict import PartLine
from runtime.stream.recipes.outcome import RecipeOutcome, RecipeState
from runtime.stream.sinks.images.record import ImageRecord
from runtime.stream.sinks.remote.messages import LineStatus, VerdictMessage
from runtime.stream.station.summary import StationSummary
from runtime.stream.summary import StreamSummary
from runtime.stream.verdict import VerdictLine

FOLDER = Path(__file__).parent / "schemas"

DOCUMENTS: dict[str, type[Document]] = {
    "audit-summary": AuditSummary,
    "calibration": CalibrationRecord,
    "camera-report": CameraReport,
    "check-report": CheckReport,
    "checkpoint-journal": JournalRecord,
    "disagreement": Disagreement,
    "engine-sidecar": EngineSidecar,
    "flat-field": FlatRecord,
    "history": History,
    "heat-map-line": HeatMapLine,
    "image-record": ImageRecord,
    "latency-comparison": LatencyComparison,
    "latency-report": LatencyReport,
    "line-status": LineStatus,
    "manifest": Manifest,
    "metrics-line": MetricsLine,
    "part-line": PartLine,
    "pick-summary": PickSummary,
    "recipe-outcome": RecipeOutcome,
    "recipe-state": RecipeState,
    "replay-report": ReplayReport,
    "review-decision": DecisionLine,
    "review-export": ReviewExport,
    "run-config": RunConfig,
    "run-result": RunResult,
    "scene-reference": SceneReference,
    "station-summary": StationSummary,
    "stream-summary": StreamSummary,
    "study-summary": StudySummary,
    "tuning-summary": TuningSummary,
    "verdict-line": VerdictLine,
    "verdict-message": VerdictMessage,
}
"""By the name of its schema, every document that edgecl writes."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_text(kind: type[Document]) -> str:
    """Return the JSON Schema of a document."""
    # A field with a default may be missing when read; what is written has it all the same.
    schema = {"$schema": _DIALECT, **msgspec.json.schema(kind)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write every schema."""
    FOLDER.mkdir(exist_ok=True)
    for name, kind in DOCUMENTS.items():
        path = FOLDER / f"{name}.json"
        path.write_text(schema_text(kind), encoding="utf-8")
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
