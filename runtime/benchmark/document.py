"""latency.json: what `edgecl bench` measured, in types."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from runtime.benchmark.conditions.document import Conditions, SideEnergy
from runtime.benchmark.facts.advice import Advice
from runtime.benchmark.facts.environment import Environment
from runtime.benchmark.facts.finding import Finding
from runtime.benchmark.facts.scenario import ScenarioFacts
from runtime.benchmark.facts.side import (
    BoundShare,
    Jitter,
    LoadGenFigures,
    Outliers,
    Schedule,
    SideAnswers,
    Throughput,
    WarmUp,
)
from runtime.benchmark.layers.document import LayerTable
from runtime.benchmark.peaks.measuring import Peaks
from runtime.files.document import Document, Part
from runtime.statistics import Interval

LATENCY_SCHEMA: Literal[2] = 2


class StepFigures(Part, frozen=True, kw_only=True):
    """One step's durations over all frames, in milliseconds.

    Args:
        frames: how many were timed; a query of several frames counts once.
        p50_ms: and the other percentiles: None where there are too few frames for an interval.
        p50_interval_ms: and the others': 95 %.
    """

    frames: int
    p50_ms: float | None
    p50_interval_ms: Interval | None
    p90_ms: float | None
    p90_interval_ms: Interval | None
    p99_ms: float | None
    p99_interval_ms: Interval | None
    p99_9_ms: float | None
    p99_9_interval_ms: Interval | None
    mean_ms: float
    min_ms: float
    max_ms: float


class Ratio(Part, frozen=True, kw_only=True):
    """A side's median over that of the first side, turn by turn.

    Args:
        median: of the ratios of the rounds; 1 for the first side.
        interval: 95 %; None for the first side, and where there are too few frames.
    """

    median: float
    interval: Interval | None


class SideAccuracy(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Shares of right answers, 0 to 1, as the bundle's export measured them.

    Args:
        validation, test: by part.
        escape_rate: share of the defects that the trained model caught, and that this precision
            lets through; None where the bundle does not tell.
    """

    validation: float | None
    test: float | None
    escape_rate: float | None = None
    escape_interval: Interval | None = None

    @property
    def best_known(self) -> float | None:
        """Return the accuracy on the test part where there is one, else on the validation part."""
        return self.test if self.test is not None else self.validation


class SideIdentity(Part, frozen=True, kw_only=True):
    """Identity of a side: one bundle in one precision on one engine.

    Args:
        label: its name in the report.
        name: of the bundle.
        bundle: path of it.
        digest: of its manifest; None for a lone file.
        encoder: None where the bundle does not tell.
        precision, engine, engine_version, device: what judged.
        input: shape of the network's input.
        tiles: of that shape per frame; None where frames are stretched to it.
        bytes: size of the file.
        parameters, macs: None where the bundle does not tell.
        threads: of inference where sides differ in them; None for the scenario's.
        workers: frames judged at the same time; None where that was not asked for.
        rival: whether it is there to compare with, and no line can run it.
    """

    label: str
    name: str
    bundle: str
    digest: str | None
    encoder: str | None
    precision: str
    engine: str
    engine_version: str
    device: str
    input: tuple[int, ...]
    accuracy: SideAccuracy
    bytes: int
    parameters: int | None
    macs: int | None
    tiles: int | None = None
    threads: int | None = None
    workers: int | None = None
    rival: bool = False

    @property
    def shares(self) -> tuple[str, ...]:
        """Threads and workers, for people, where the side has numbers of its own."""
        counts = (self.threads, "thread"), (self.workers, "worker")
        return tuple(f"{count} {what}{'s' * (count != 1)}" for count, what in counts if count)

    @property
    def cut(self) -> str:
        """Cut of a frame, for people; empty where it is stretched."""
        if self.tiles is None:
            return ""
        size = "x".join(map(str, self.input))
        return f"{self.tiles} tile{'s' * (self.tiles != 1)} of {size} per frame"


class SideReport(SideIdentity, frozen=True, kw_only=True, omit_defaults=True):
    """A side and its times.

    Args:
        valid: whether its milliseconds can be quoted.
        findings: of the rules for one side.
        steps: figures by step, `total` among them.
        raw_ns: nanoseconds of every query by step, in the order of measurement.
        starts_ns: when each query began, in nanoseconds since the measurement began: at its arrival
            where the scenario has a schedule.
        warm_up: None in reports of schema 1, as what follows.
        throughput: frames per second.
        jitter: spread of the times.
        drift: median of the second half of the rounds over that of the first, less 1.
        outliers: queries far above the others; they are in every figure all the same.
        schedule: None where queries follow one another.
        bound: None without a bound.
        answers: to the bundle's golden images; None where it has none.
        loadgen: what LoadGen told itself, where it issued the queries.
        harness_us: microseconds per frame that the benchmark itself takes, beside the steps.
        layers: time of each; None unless it was asked for.
        energy: None where no meter is there.
    """

    valid: bool
    findings: tuple[Finding, ...]
    steps: dict[str, StepFigures]
    ratio: Ratio
    raw_ns: dict[str, list[int]] = {}
    starts_ns: list[int] = []
    warm_up: WarmUp | None = None
    throughput: Throughput | None = None
    jitter: Jitter | None = None
    drift: float | None = None
    outliers: Outliers | None = None
    schedule: Schedule | None = None
    bound: BoundShare | None = None
    answers: SideAnswers | None = None
    harness_us: float | None = None
    loadgen: LoadGenFigures | None = None
    layers: LayerTable | None = None
    energy: SideEnergy | None = None


class SkippedSide(Part, frozen=True, kw_only=True):
    """A side that could not be opened, and why."""

    label: str
    reason: str


class LatencyReport(Document, frozen=True, kw_only=True, omit_defaults=True):
    """Sides measured against each other on one machine.

    Args:
        created: ISO 8601.
        valid: whether all sides are.
        findings: of the rules for the machine.
        frames_needed: how many a percentile takes.
        sides: the first one is what the others are compared with.
        order: per round, the sides in the order of their turns.
        advice: which side to take; None without a budget.
        conditions: of the machine meanwhile.
        peaks: of the processor; None where all sides run elsewhere.
        command: that repeats the measurement.
    """

    WHAT: ClassVar[str] = "a latency report"
    REMEDY: ClassVar[str] = "pass a latency.json written by 'edgecl bench'"

    NEWEST: ClassVar[int] = LATENCY_SCHEMA

    schema: Literal[2]
    kind: Literal["latency"]
    created: str
    valid: bool
    findings: tuple[Finding, ...]
    scenario: ScenarioFacts
    environment: Environment
    frames_needed: dict[str, int]
    sides: tuple[SideReport, ...]
    left_out: tuple[SkippedSide, ...]
    order: tuple[tuple[int, ...], ...] = ()
    advice: Advice | None = None
    conditions: Conditions | None = None
    peaks: Peaks | None = None
    command: str = ""

    @classmethod
    def newest_form(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Return a report of schema 1 as one of schema 2: single-stream, warmed up by count."""
        if value["schema"] != 1:
            return value
        scenario = value.get("scenario")
        if isinstance(scenario, dict):
            value = {**value, "scenario": {"kind": "single-stream", **scenario}}
        return {**value, "schema": LATENCY_SCHEMA}
