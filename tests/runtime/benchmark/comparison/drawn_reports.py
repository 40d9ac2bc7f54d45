"""Latency reports of drawn times, in the first schema, which every edgecl reads."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark import LatencyReport
from runtime.files.document import parse_document

ROUNDS, BLOCK = 60, 10
OLD, NEW = "old int8 onnxruntime", "new int8 onnxruntime"

_FIGURES = {
    "frames": ROUNDS * BLOCK,
    **{f"{name}_ms": None for name in ("p50", "p90", "p99", "p99_9")},
    **{f"{name}_interval_ms": None for name in ("p50", "p90", "p99", "p99_9")},
    "mean_ms": 1.0,
    "min_ms": 1.0,
    "max_ms": 1.0,
}
_ENVIRONMENT = {
    "cpu": {
        "model": "Drawn CPU",
        "architecture": "x86_64",
        "cores": 2,
        "usable_cores": 2,
        "features": {"AVX2": True, "VNNI": False},
        "governor": "performance",
    },
    "memory_bytes": 1 << 33,
    "gpu": {"devices": [], "driver": None, "jetson": None},
    "system": "Linux 6",
    "python": "3.11",
    "packages": {"onnxruntime": "1.20"},
    "threads": 1,
    "thread_variables": {},
    "clock": {"name": "drawn", "resolution_ns": 1.0, "overhead_ns": 1},
    "wall_s": 60.0,
    "load": {"before": 0.0, "after": 0.0},
    "other_load_cores": 0.0,
    "steal_cores": 0.0,
    "frequencies_mhz": {"before": [2600.0], "after": [2600.0]},
    "temperatures_c": {"before": {}, "after": {}},
}


def machine(seed: int, *, rounds: int = ROUNDS) -> NDArray[np.float64]:
    """The slowness of a busy machine in each round: it wanders, and no two runs have the same."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.03, rounds)
    wandering = np.array(
        [steps[: end + 1] @ 0.9 ** np.arange(end, -1, -1) for end in range(rounds)]
    )
    return np.asarray(np.exp(rng.normal(0, 0.1) + wandering), np.float64)


def times(
    speed: NDArray[np.float64], seed: int, *, ms: float = 2.0, interrupted: float = 0.2
) -> NDArray[np.int64]:
    """Nanoseconds of a side's frames: rounds × block, flat.

    Args:
        speed: of the machine, by round.
        seed: of the frames.
        ms: of a frame on an idle machine.
        interrupted: share of the frames that another process interrupts for 3 ms.
    """
    rng = np.random.default_rng(seed)
    own = ms * speed[:, None] * np.exp(rng.normal(0, 0.02, (len(speed), BLOCK)))
    own = own + 3.0 * (rng.random(own.shape) < interrupted)
    return np.asarray(own * 1e6, np.int64).reshape(-1)


def side(label: str, values: NDArray[np.int64], **changes: Any) -> dict[str, Any]:
    """A side of a report; label NAME PRECISION ENGINE."""
    name, precision, engine = label.rsplit(" ", 2)
    return {
        "label": label,
        "name": name,
        "bundle": f"/bundles/{name}",
        "digest": name * 4,
        "encoder": "tiny",
        "precision": precision,
        "engine": engine,
        "engine_version": "1.20",
        "device": "CPU (1 thread)",
        "input": [32, 48],
        "accuracy": {"validation": 1.0, "test": None},
        "bytes": 1,
        "parameters": None,
        "macs": None,
        "valid": True,
        "findings": [],
        "steps": {"total": _FIGURES, "infer": _FIGURES},
        "ratio": {"median": 1.0, "interval": None},
        "raw_ns": {"infer": (values * 9 // 10).tolist(), "total": values.tolist()},
        **changes,
    }


def report(
    sides: Sequence[Mapping[str, Any]], *, rounds: int = ROUNDS, day: int = 1
) -> dict[str, Any]:
    """A report of schema 1 as parsed JSON."""
    return {
        "schema": 1,
        "kind": "latency",
        "created": f"2026-11-{day:02}T10:00:00+00:00",
        "valid": True,
        "findings": [],
        "scenario": {
            "frames": rounds * BLOCK,
            "rounds": rounds,
            "block": BLOCK,
            "settle": {"seconds": 0.0, "frames": 0},
            "warmup": 1,
            "frame": {
                "height": 40,
                "width": 60,
                "channels": 1,
                "distinct": 8,
                "content": "drawn",
            },
            "seed": 0,
            "threads": 1,
        },
        "environment": copy.deepcopy(_ENVIRONMENT),
        "frames_needed": {"p50": 6},
        "sides": list(sides),
        "left_out": [],
    }


def run(
    seed: int,
    *,
    slower: float = 0.0,
    day: int = 1,
    steps: Sequence[str] = ("infer", "total"),
) -> dict[str, Any]:
    """A run of two copies of one bundle on a busy machine, the second one slower by a share."""
    speed = machine(seed)
    sides = [
        side(OLD, times(speed, 1000 + seed)),
        side(NEW, times(speed, 2000 + seed, ms=2.0 * (1 + slower))),
    ]
    for entry in sides:
        entry["raw_ns"] = {step: entry["raw_ns"][step] for step in steps}
    return report(sides, day=day)


def read(value: Mapping[str, Any]) -> LatencyReport:
    """The report as edgecl reads it."""
    return parse_document(copy.deepcopy(dict(value)), LatencyReport, where="drawn")


def write(path: Path, value: Mapping[str, Any]) -> Path:
    """Write a report as a file."""
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
