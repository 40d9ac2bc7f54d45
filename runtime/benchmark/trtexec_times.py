"""Raw times in the form of `trtexec --exportTimes`, for programs that read it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runtime.benchmark.document import SideReport
from runtime.benchmark.sides import TOTAL
from runtime.errors import InputError
from runtime.files.atomic import write_text

OLD_NAMES = (
    *(("startInMs", "startH2dMs"), ("endInMs", "endH2dMs"), ("inMs", "h2dMs")),
    *(("startOutMs", "startD2hMs"), ("endOutMs", "endD2hMs"), ("outMs", "d2hMs")),
)
"""Names up to TensorRT 8 beside those of TensorRT 10; both are written."""


def trace_of(side: SideReport) -> list[dict[str, float]]:
    """Return an entry per query, in the order of measurement.

    Input, computing and output are the side's `upload`, `infer` and `download`; an engine that
    shares the host's memory has no input and output times. `latencyMs` is their sum, as trtexec
    computes it, so the steps before and after are in none of them. Without start times in the
    report, each query starts where the one before ended.

    Raises:
        InputError: the report does not hold the side's raw times.
    """
    computed = side.raw_ns.get("infer", [])
    totals = side.raw_ns.get(TOTAL, [])
    if not computed:
        raise InputError(
            f"there are no raw times of inference for {side.label}",
            hint="measure again with 'edgecl bench'",
        )
    none = [0] * len(computed)
    uploads, downloads = side.raw_ns.get("upload", none), side.raw_ns.get("download", none)
    before = side.raw_ns.get("preprocess", none)
    starts = side.starts_ns
    entries: list[dict[str, float]] = []
    clock = 0
    for number, (upload, infer, download, prepared) in enumerate(
        zip(uploads, computed, downloads, before, strict=True)
    ):
        start = starts[number] if len(starts) == len(computed) else clock
        clock = start + (totals[number] if totals else upload + infer + download)
        entries.append(_entry(start + prepared, upload, infer, download))
    return entries


def write_traces(path: Path, sides: Sequence[SideReport]) -> list[Path]:
    """Write a file per side: `path` for one, names with the side's label in them for several.

    Returns:
        The files.

    Raises:
        InputError: a file cannot be written, or raw times are missing.
    """
    traces = [(side, trace_of(side)) for side in sides]
    written: list[Path] = []
    for side, trace in traces:
        target = path
        if len(sides) > 1:
            label = "-".join(_plain(part) for part in side.label.split())
            target = path.with_name(f"{path.stem}-{label}{path.suffix}")
            number = 1
            while target in written:
                number += 1
                target = path.with_name(f"{path.stem}-{label}-{number}{path.suffix}")
        write_text(target, _text(trace))
        written.append(target)
    return written


def _entry(start: int, upload: int, infer: int, download: int) -> dict[str, float]:
    stamps = [start, start + upload, start + upload + infer, start + upload + infer + download]
    up, run, down, end = (nanoseconds / 1e6 for nanoseconds in stamps)
    entry: dict[str, float] = {
        "startEnqMs": up,
        "endEnqMs": end,
        "startH2dMs": up,
        "endH2dMs": run,
        "startComputeMs": run,
        "endComputeMs": down,
        "startD2hMs": down,
        "endD2hMs": end,
        "h2dMs": upload / 1e6,
        "computeMs": infer / 1e6,
        "d2hMs": download / 1e6,
        "latencyMs": (upload + infer + download) / 1e6,
    }
    return entry | {old: entry[new] for old, new in OLD_NAMES}


def _text(trace: Sequence[dict[str, Any]]) -> str:
    lines = ",\n".join(
        f"  {json.dumps({name: round(value, 6) for name, value in entry.items()})}"
        for entry in trace
    )
    return f"[\n{lines}\n]\n"


def _plain(text: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in text)
