"""summary.json: the account of a stream, also what `edgecl run --json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal

from runtime.camera import Camera
from runtime.camera.outages import Outages
from runtime.files.document import Document, Part, read_document
from runtime.session import Candidate, Session
from runtime.stream.answering.shadow import ShadowAccount
from runtime.stream.budget import Budget
from runtime.stream.health import with_outages
from runtime.stream.heat_maps import HeatMapAccount
from runtime.stream.latency import StepTimes
from runtime.stream.ledger import Snapshot
from runtime.stream.pipeline import Settings
from runtime.stream.sinks import JsonLinesSink, Sink
from runtime.stream.sinks.accounts import SinkAccount, VerdictFile, sink_accounts, verdict_file

FILE = "summary.json"


class StreamAccuracy(Part, frozen=True, kw_only=True):
    """Labels against those that the camera knew.

    Args:
        right: frames that got the right label.
        known: judged frames, in time, whose label was known.
        share: `right` / `known`.
    """

    right: int
    known: int
    share: float


class TriedCandidate(Part, frozen=True, kw_only=True):
    """A precision on an engine that was tried, and its median time in ms."""

    precision: str
    engine: str
    median_ms: float


class Realtime(Part, frozen=True, kw_only=True):
    """Grants of the operating system to a stream.

    Args:
        memory_locked: whether no page of the process leaves memory.
        scheduling: class and priority; None where it stayed the usual one.
        cpus: cores that the process was bound to; None where it was not.
    """

    memory_locked: bool
    scheduling: str | None
    cpus: tuple[int, ...] | None


class RecipeAccount(Part, frozen=True, kw_only=True):
    """Verdicts of one recipe.

    Args:
        id: as it was asked for.
        digest: of its bundle's manifest.
        statuses: verdicts by status; those that did not occur are left out.
    """

    id: str
    digest: str
    statuses: dict[str, int]


class StreamSummary(Document, frozen=True, kw_only=True):
    """Summary of a stream.

    Args:
        captured: frames that the camera delivered.
        judged: frames with a verdict other than `fault`.
        dropped: frames that a newer one displaced.
        faulty: frames with the verdict `fault`.
        balanced: whether captured = judged + dropped + faulty.
        budget_misses: judged frames that were over a limit.
        miss_share: of the judged frames, 0 to 1.
        misses_by_step: how often each step was over its limit.
        statuses: verdicts by status.
        health: faults of the frames by name, where somebody looked, and outages of a camera that
            is opened again.
        accuracy: None where no right labels are known.
        steps: durations by step.
        budget_ms: limits by step.
        unsure_below: the least confidence of a `pass` or `reject`.
        unsure_below_of: the same by label, for those with a threshold of their own.
        roi: region of interest that frames were cut to, `LEFT,TOP,WIDTH,HEIGHT`; None for whole
            frames.
        flat: SHA-256 of the flat-field's file that they were corrected with; None for none.
        pass_labels: labels that let a part pass.
        unknown_above: largest distance of a known frame from the training images, relative to the
            bundle's limit; None where no frame is called unknown.
        debounce: N/M, where a reject goes out only if N of the last M frames were rejects.
        held_back: rejects that went out as `pass` by that rule.
        on_late: status that goes out where there is no verdict by the deadline.
        late: frames of which it went out.
        late_answers: answers that came after it, by the status that they would have had.
        realtime: what the operating system granted; None without `--realtime` and `--cpus`.
        policy: which frames were judged.
        seconds: how long the stream ran.
        frames_per_second: judged and faulty frames per second.
        started: the wall clock, ISO 8601.
        camera: its name.
        model: path of the bundle, graph or engine.
        labels: of the model.
        precision, engine, engine_version, device: what judged.
        workers: sessions that judged at the same time.
        candidates: what was tried before, the fastest first.
        interrupted: whether Ctrl-C or SIGTERM ended it.
        error: what ended it early; None where nothing did.
        notes: what the user should know.
        camera_outages: lines about the camera's outages, the middle ones left out.
        camera_outage_lines: how many there were in all.
        camera_settings: by feature, as they were when the camera was first opened; empty where it
            tells none.
        camera_statistics: counts of camera and driver by name; empty where it has none.
        verdicts: the file of verdicts.
        sinks: where else they went.
        heat_maps: of the rejects; None without `--heat-maps`.
        recipes: verdicts by recipe, in the order in which they first judged; empty where the stream
            had none. Model, labels and rules above are those of the recipe that it began with.
        shadow: the second model beside it; None without one.
    """

    WHAT: ClassVar[str] = "the summary of a stream"
    REMEDY: ClassVar[str] = "pass a summary.json written by 'edgecl run'"

    schema: Literal[1] = 1
    captured: int
    judged: int
    dropped: int
    faulty: int
    balanced: bool
    budget_misses: int
    miss_share: float
    misses_by_step: dict[str, int]
    statuses: dict[str, int]
    health: dict[str, int] = {}
    accuracy: StreamAccuracy | None
    steps: dict[str, StepTimes]
    budget_ms: dict[str, float]
    unsure_below: float
    policy: Literal["every-frame", "latest"]
    seconds: float
    frames_per_second: float
    started: str
    camera: str
    model: str
    labels: tuple[str, ...]
    precision: str
    engine: str
    engine_version: str
    device: str
    candidates: tuple[TriedCandidate, ...]
    interrupted: bool
    error: str | None
    notes: tuple[str, ...]
    camera_outages: tuple[str, ...]
    camera_outage_lines: int
    camera_statistics: dict[str, int] = {}
    camera_settings: dict[str, str] = {}
    verdicts: VerdictFile
    sinks: tuple[SinkAccount, ...] = ()
    unsure_below_of: dict[str, float] = {}
    pass_labels: tuple[str, ...] = ()
    debounce: str | None = None
    held_back: int = 0
    on_late: str = "late"
    late: int = 0
    late_answers: dict[str, int] = {}
    realtime: Realtime | None = None
    heat_maps: HeatMapAccount | None = None
    recipes: tuple[RecipeAccount, ...] = ()
    shadow: ShadowAccount | None = None
    workers: int = 1
    roi: str | None = None
    flat: str | None = None
    unknown_above: float | None = None


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


def summarise(
    end: StreamEnd,
    *,
    model: Path,
    camera: Camera,
    session: Session,
    settings: Settings,
    sink: JsonLinesSink,
    more_sinks: Sequence[Sink] = (),
    candidates: Sequence[Candidate] = (),
    outages: Outages | None = None,
    remarks: Sequence[str] = (),
    realtime: Realtime | None = None,
    heat_maps: HeatMapAccount | None = None,
    workers: int = 1,
    shadow: ShadowAccount | None = None,
) -> StreamSummary:
    """Return the summary of a stream that ended.

    Args:
        model: as it was named.
        candidates: what was tried before the session was opened.
        remarks: what was said before the stream began.
        realtime: what the operating system granted.
        heat_maps: those of the rejects.
        workers: sessions that judged at the same time.
        shadow: the second model beside it.
    """
    snapshot, rules = end.snapshot, settings.rules
    outages = outages or Outages()
    answered = snapshot.judged + snapshot.faulty
    return StreamSummary(
        captured=snapshot.captured,
        judged=snapshot.judged,
        dropped=snapshot.dropped,
        faulty=snapshot.faulty,
        balanced=snapshot.balanced,
        budget_misses=snapshot.misses,
        miss_share=snapshot.miss_share,
        misses_by_step=dict(snapshot.misses_by_step),
        statuses=dict(snapshot.statuses),
        health=with_outages(snapshot.health, camera),
        accuracy=accuracy_of(snapshot.right, snapshot.known),
        steps={step: histogram.times() for step, histogram in snapshot.histograms.items()},
        budget_ms=rules.budget.to_json(),
        unsure_below=rules.unsure_below,
        unsure_below_of=dict(rules.unsure_below_of),
        pass_labels=rules.applied_to(session.contract).pass_labels,
        debounce=str(rules.debounce) if rules.debounce else None,
        held_back=snapshot.held_back,
        on_late=rules.on_late.value,
        late=snapshot.late,
        late_answers=dict(snapshot.late_answers),
        realtime=realtime,
        heat_maps=heat_maps,
        workers=workers,
        roi=None if session.view.roi is None else str(session.view.roi),
        flat=None if session.view.flat is None else session.view.flat.digest,
        unknown_above=rules.unknown_above if settings.novelty else None,
        policy="every-frame" if settings.every_frame else "latest",
        seconds=end.seconds,
        frames_per_second=answered / end.seconds if end.seconds else 0.0,
        started=end.started.isoformat(timespec="milliseconds"),
        camera=camera.name,
        model=str(model),
        labels=tuple(session.contract.labels),
        precision=session.precision,
        engine=session.engine,
        engine_version=session.version,
        device=session.device,
        candidates=tuple(
            TriedCandidate(
                precision=tried.precision, engine=tried.engine, median_ms=tried.median_ms
            )
            for tried in candidates
        ),
        interrupted=end.interrupted,
        error=None if end.failure is None else str(end.failure),
        notes=(*remarks, *end.notes, *_budget_notes(snapshot, rules.budget)),
        camera_outages=tuple(outages.lines),
        camera_outage_lines=outages.count,
        camera_statistics=dict(camera.statistics),
        camera_settings=dict(camera.settings),
        verdicts=verdict_file(sink),
        sinks=sink_accounts(more_sinks),
        recipes=tuple(
            RecipeAccount(id=recipe, digest=digest, statuses=dict(statuses))
            for (recipe, digest), statuses in snapshot.recipes.items()
        ),
        shadow=shadow,
    )


def _budget_notes(snapshot: Snapshot, budget: Budget) -> list[str]:
    """Say which limits held nothing, though frames were judged."""
    idle = budget.unmeasured(snapshot.histograms) if snapshot.judged else []
    return [f"budget {step!r} was not held: no frame had that step" for step in idle]


def accuracy_of(right: int, known: int) -> StreamAccuracy | None:
    """Return the share of right labels; None where no label was known."""
    return StreamAccuracy(right=right, known=known, share=right / known) if known else None


def read_summary(path: Path) -> StreamSummary:
    """Read the summary of a stream.

    Raises:
        InputError: it cannot be read, or is no such summary.
    """
    return read_document(path, StreamSummary)
