"""Latency report from raw times: its JSON is a stable format with a schema version."""

from __future__ import annotations

import json
import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.sides import TOTAL
from runtime.benchmark.validity import INVALID, judge_machine, judge_side, other_load, steal
from runtime.errors import InputError
from runtime.files.atomic import write_text
from runtime.machine import Activity, package_versions, read_cpu, read_gpu, read_memory
from runtime.session.spec import distributions
from runtime.statistics import (
    count_needed,
    median_ratio_interval,
    quantile,
    quantile_interval,
)

SCHEMA = 1
KIND = "latency"

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
        left_out: sides that could not be opened: `label` and `reason`.
    """

    sides: Sequence[Mapping[str, Any]]
    times: Sequence[Mapping[str, NDArray[np.int64]]]
    order: Sequence[Sequence[int]]
    before: Activity
    after: Activity
    wall_s: float
    threads: int
    left_out: Sequence[Mapping[str, str]] = field(default_factory=list)


def build_report(measured: Measurement, *, scenario: Mapping[str, Any]) -> dict[str, Any]:
    """Compute every figure of the report.

    Args:
        measured: the raw times and what surrounded them.
        scenario: how they were taken, passed through.
    """
    cpu = read_cpu()
    machine = judge_machine(measured.before, measured.after, measured.wall_s, cpu["governor"])
    machine_ok = all(finding.severity != INVALID for finding in machine)
    sides = []
    for described, times in zip(measured.sides, measured.times, strict=True):
        findings = judge_side(times[TOTAL])
        sides.append(
            {
                **described,
                "valid": machine_ok and all(finding.severity != INVALID for finding in findings),
                "findings": [finding.to_json() for finding in findings],
                "steps": {step: summarise(values) for step, values in times.items()},
                "ratio": _ratio(times[TOTAL], measured.times[0][TOTAL]),
                "raw_ns": {step: values.reshape(-1).tolist() for step, values in times.items()},
            }
        )
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "valid": all(side["valid"] for side in sides),
        "findings": [finding.to_json() for finding in machine],
        "scenario": dict(scenario),
        "environment": _environment(measured, cpu),
        "frames_needed": {name: count_needed(share) for name, share in QUANTILES.items()},
        "sides": sides,
        "left_out": [dict(entry) for entry in measured.left_out],
        "order": [list(turns) for turns in measured.order],
    }


def summarise(times: NDArray[np.int64]) -> dict[str, Any]:
    """Percentiles of one step in milliseconds, each with its 95 % interval.

    A percentile is null where there are too few frames for an interval with two ends: the value
    would be little more than the slowest frame seen.
    """
    ordered = np.sort(times, axis=None)
    summary: dict[str, Any] = {"frames": int(ordered.size)}
    for name, share in QUANTILES.items():
        interval = quantile_interval(ordered, share)
        summary[f"{name}_ms"] = _ms(quantile(ordered, share)) if interval else None
        summary[f"{name}_interval_ms"] = [_ms(end) for end in interval] if interval else None
    summary["mean_ms"] = _ms(float(ordered.mean()))
    summary["min_ms"] = _ms(float(ordered[0]))
    summary["max_ms"] = _ms(float(ordered[-1]))
    return summary


def without_raw(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report without raw times and turns, for a terminal."""
    sides = [
        {key: value for key, value in side.items() if key != "raw_ns"} for side in report["sides"]
    ]
    return {**{key: value for key, value in report.items() if key != "order"}, "sides": sides}


def write_report(report: Mapping[str, Any], path: Path) -> None:
    """Write the report as JSON, whole or not at all; arrays of numbers stand on one line each."""
    text = json.dumps(report, indent=2, ensure_ascii=False)
    text = re.sub(r"\[[\s\d.,eE+-]+\]", lambda found: " ".join(found[0].split()), text)
    write_text(path, text + "\n")


def read_report(path: Path) -> dict[str, Any]:
    """Read a latency report back.

    Raises:
        InputError: no such file, no latency report, or one of a newer schema.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"no latency report found at {path}", hint="make one with 'edgecl bench'"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as a latency report ({error})",
            hint="pass a latency.json written by 'edgecl bench'",
        ) from error
    if not isinstance(report, dict) or report.get("kind") != KIND:
        raise InputError(
            f"{path} is not a latency report",
            hint="pass a latency.json written by 'edgecl bench'",
        )
    schema = report.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        raise InputError(
            f"{path} has report schema {schema!r}, but this edgecl reads up to {SCHEMA}",
            hint="update edgecl on this machine",
        )
    return report


def _ratio(
    times: NDArray[np.int64], reference: NDArray[np.int64]
) -> dict[str, float | list[float] | None]:
    if times is reference:
        return {"median": 1.0, "interval": None}
    interval = median_ratio_interval(times, reference)
    return {
        "median": round(float(np.median(times) / np.median(reference)), 4),
        "interval": [round(end, 4) for end in interval] if interval else None,
    }


def _environment(measured: Measurement, cpu: Mapping[str, Any]) -> dict[str, Any]:
    before, after, wall = measured.before, measured.after, measured.wall_s
    others, taken = other_load(before, after, wall), steal(before, after, wall)
    return {
        "cpu": dict(cpu),
        "memory_bytes": read_memory()["total"],
        "gpu": read_gpu(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {
            name: version for name, version in package_versions(PACKAGES).items() if version
        },
        "threads": measured.threads,
        "thread_variables": {
            name: os.environ[name]
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
            if name in os.environ
        },
        "clock": {
            "name": "perf_counter_ns",
            "resolution_ns": round(time.get_clock_info("perf_counter").resolution * 1e9, 3),
            "overhead_ns": _clock_overhead(),
        },
        "wall_s": round(wall, 3),
        "load": {"before": before.load, "after": after.load},
        "other_load_cores": None if others is None else round(others, 3),
        "steal_cores": None if taken is None else round(taken, 3),
        "frequencies_mhz": {
            "before": list(before.frequencies_mhz),
            "after": list(after.frequencies_mhz),
        },
        "temperatures_c": {"before": before.temperatures_c, "after": after.temperatures_c},
    }


def _clock_overhead(calls: int = 2000) -> int:
    """Nanoseconds that reading the clock takes; every step's time contains one reading."""
    stamps = [time.perf_counter_ns() for _ in range(calls)]
    return int(np.median(np.diff(stamps)))


def _ms(nanoseconds: float) -> float:
    return round(nanoseconds / 1e6, 6)
