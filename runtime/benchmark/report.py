"""Latency report from raw times: its JSON is a stable format with a schema version."""

from __future__ import annotations

import math
import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from runtime.benchmark.document import (
    LATENCY_SCHEMA,
    LatencyReport,
    Ratio,
    SideIdentity,
    SideReport,
    SkippedSide,
    StepFigures,
)
from runtime.benchmark.facts.environment import (
    ClockFacts,
    CpuFacts,
    Environment,
    Frequencies,
    GpuFacts,
    Load,
    Temperatures,
)
from runtime.benchmark.facts.finding import INVALID
from runtime.benchmark.facts.scenario import ScenarioFacts
from runtime.benchmark.measuring.record import SideRecord, told_of
from runtime.benchmark.measuring.relative import MEDIAN, relative, student
from runtime.benchmark.sides import TOTAL
from runtime.benchmark.validity import (
    counted_between,
    judge_machine,
    judge_side,
    other_load,
    steal,
)
from runtime.errors import InputError
from runtime.files.atomic import write_text
from runtime.files.document import read_document, to_text
from runtime.machine import Activity, package_versions, read_cpu, read_gpu, read_memory
from runtime.session.spec import distributions
from runtime.statistics import (
    count_needed,
    quantile,
    quantile_interval,
)

SCHEMA = LATENCY_SCHEMA
KIND: Literal["latency"] = "latency"

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}

PACKAGES = ("edgecl", "numpy", "opencv-python", *distributions())


@dataclass(frozen=True)
class Measurement:
    """Measurements, before anything is computed from them.

    Args:
        sides: `Side.describe()` of each.
        times: per side, step → nanoseconds, rounds × frames.
        order: per round, the sides in the order of their turns.
        before: the machine at the start of the measurement.
        after: the same at its end.
        wall_s: seconds between the two.
        threads: inference threads.
        left_out: sides that could not be opened.
        records: what else was seen of each side; empty where nothing was.
    """

    sides: Sequence[SideIdentity]
    times: Sequence[Mapping[str, NDArray[np.int64]]]
    order: Sequence[Sequence[int]]
    before: Activity
    after: Activity
    wall_s: float
    threads: int
    left_out: Sequence[SkippedSide] = field(default_factory=list)
    records: Sequence[SideRecord] = ()


def build_report(measured: Measurement, *, scenario: ScenarioFacts) -> LatencyReport:
    """Compute every figure of the report.

    Args:
        measured: the raw times and what surrounded them.
        scenario: how they were taken, passed through.
    """
    cpu = msgspec.convert(read_cpu(), CpuFacts)
    machine = judge_machine(measured.before, measured.after, measured.wall_s, cpu.governor)
    machine_ok = all(finding.severity != INVALID for finding in machine)
    sides = []
    records: Sequence[SideRecord | None] = measured.records or [None] * len(measured.sides)
    for described, times, record in zip(measured.sides, measured.times, records, strict=True):
        told = told_of(times, record, scenario)
        findings = judge_side(times[TOTAL], scenario.kind, **told)
        sides.append(
            SideReport(
                **msgspec.structs.asdict(described),
                **told,
                valid=machine_ok and all(finding.severity != INVALID for finding in findings),
                findings=tuple(findings),
                steps={step: summarise(values) for step, values in times.items()},
                ratio=_ratio(times[TOTAL], measured.times[0][TOTAL]),
                raw_ns={step: values.reshape(-1).tolist() for step, values in times.items()},
                starts_ns=[] if record is None else record.starts.reshape(-1).tolist(),
            )
        )
    return LatencyReport(
        schema=SCHEMA,
        kind=KIND,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        valid=all(side.valid for side in sides),
        findings=tuple(machine),
        scenario=scenario,
        environment=_environment(measured, cpu),
        frames_needed={name: count_needed(share) for name, share in QUANTILES.items()},
        sides=tuple(sides),
        left_out=tuple(measured.left_out),
        order=tuple(tuple(turns) for turns in measured.order),
    )


def summarise(times: NDArray[np.int64]) -> StepFigures:
    """Percentiles of one step in milliseconds, each with its 95 % interval.

    A percentile is null where there are too few frames for an interval with two ends: the value
    would be little more than the slowest frame seen.
    """
    ordered = np.sort(times, axis=None)
    percentiles: dict[str, Any] = {}
    for name, share in QUANTILES.items():
        interval = quantile_interval(ordered, share)
        percentiles[f"{name}_ms"] = _ms(quantile(ordered, share)) if interval else None
        ends = (_ms(interval[0]), _ms(interval[1])) if interval else None
        percentiles[f"{name}_interval_ms"] = ends
    return StepFigures(
        frames=int(ordered.size),
        **percentiles,
        mean_ms=_ms(float(ordered.mean())),
        min_ms=_ms(float(ordered[0])),
        max_ms=_ms(float(ordered[-1])),
    )


def without_raw(report: LatencyReport) -> LatencyReport:
    """The report without raw times and turns, for a terminal."""
    sides = tuple(replace(side, raw_ns={}) for side in report.sides)
    return replace(report, sides=sides, order=())


def write_report(report: LatencyReport, path: Path) -> None:
    """Write the report as JSON, whole or not at all; arrays of numbers stand on one line each."""
    text = to_text(report)
    text = re.sub(r"\[[\s\d.,eE+-]+\]", lambda found: " ".join(found[0].split()), text)
    write_text(path, text + "\n")


def read_report(path: Path) -> LatencyReport:
    """Read a latency report back.

    Raises:
        InputError: no such file, no latency report, or one of a newer schema.
    """
    if not path.exists():
        raise InputError(f"no latency report found at {path}", hint="make one with 'edgecl bench'")
    return read_document(path, LatencyReport)


def _ratio(times: NDArray[np.int64], reference: NDArray[np.int64]) -> Ratio:
    if times is reference:
        return Ratio(median=1.0, interval=None)
    found = relative(times.ravel(), reference.ravel(), (MEDIAN,), rounds=len(times))
    if found is None:
        ratios = np.median(times, axis=1) / np.median(reference, axis=1)
        return Ratio(median=round(float(np.median(ratios)), 4), interval=None)
    (ratio,) = found
    reach = student(ratio.groups - 1) * math.sqrt(ratio.variance)
    low, middle, high = (round(math.exp(ratio.log + step), 4) for step in (-reach, 0.0, reach))
    return Ratio(median=middle, interval=(low, high))


def _environment(measured: Measurement, cpu: CpuFacts) -> Environment:
    before, after, wall = measured.before, measured.after, measured.wall_s
    others, taken = other_load(before, after, wall), steal(before, after, wall)
    return Environment(
        cpu=cpu,
        memory_bytes=read_memory()["total"],
        gpu=msgspec.convert(read_gpu(), GpuFacts),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages={name: version for name, version in package_versions(PACKAGES).items() if version},
        threads=measured.threads,
        thread_variables={
            name: os.environ[name]
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
            if name in os.environ
        },
        clock=ClockFacts(
            name="perf_counter_ns",
            resolution_ns=round(time.get_clock_info("perf_counter").resolution * 1e9, 3),
            overhead_ns=_clock_overhead(),
        ),
        wall_s=round(wall, 3),
        load=Load(before=before.load, after=after.load),
        other_load_cores=None if others is None else round(others, 3),
        steal_cores=None if taken is None else round(taken, 3),
        frequencies_mhz=Frequencies(before=before.frequencies_mhz, after=after.frequencies_mhz),
        temperatures_c=Temperatures(before=before.temperatures_c, after=after.temperatures_c),
        major_faults=counted_between(before.major_faults, after.major_faults),
        swapped_pages=counted_between(before.swapped_pages, after.swapped_pages),
    )


def _clock_overhead(calls: int = 2000) -> int:
    """Nanoseconds that reading the clock takes; every step's time contains one reading."""
    stamps = [time.perf_counter_ns() for _ in range(calls)]
    return int(np.median(np.diff(stamps)))


def _ms(nanoseconds: float) -> float:
    return round(nanoseconds / 1e6, 6)
