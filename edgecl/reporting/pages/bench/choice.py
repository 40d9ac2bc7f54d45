"""The choice between sides: what each costs, and which no other beats."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from edgecl.reporting.numbers import decimal, milliseconds, number
from edgecl.reporting.plots.scatter import pareto_front, total_step
from runtime.benchmark.document import LatencyReport, SideReport

QUANTILES = ("p50", "p99", "p99_9")


def row_names(sides: Sequence[SideReport]) -> list[str]:
    """A side's name without the parts that all sides share."""
    keys = [
        key
        for key in ("name", "precision", "engine")
        if len({getattr(side, key) for side in sides}) > 1 or key == "precision"
    ]
    shares = len({(side.threads, side.workers) for side in sides}) > 1
    return [
        " ".join([*(str(getattr(side, key)) for key in keys), *(side.shares if shares else ())])
        for side in sides
    ]


def choice_rows(sides: Sequence[SideReport]) -> list[dict[str, Any]]:
    """A row per side, in the report's order."""
    front = pareto_front(sides)
    return [_row(side, on_front=side in front) for side in sides]


def _row(side: SideReport, *, on_front: bool) -> dict[str, Any]:
    total = total_step(side)
    encoder = side.encoder if side.encoder and side.encoder not in side.name else ""
    return {
        "name": side.name,
        "more": ", ".join(filter(None, (encoder, *side.shares))),
        "precision": side.precision,
        "engine": side.engine,
        "cells": [
            {
                "value": getattr(total, f"{name}_ms"),
                "interval": getattr(total, f"{name}_interval_ms"),
            }
            for name in QUANTILES
        ],
        "throughput": frames_per_second(side),
        "ratio": side.ratio.median,
        "ratio_interval": side.ratio.interval,
        "accuracy": side.accuracy.best_known,
        "escape_rate": side.accuracy.escape_rate,
        "bytes": side.bytes,
        "energy": None if side.energy is None else side.energy.joules_per_frame,
        "front": on_front,
        "valid": side.valid,
    }


def frames_per_second(side: SideReport) -> float | None:
    """Frames per second as the scenario measured them, else those of the mean time.

    Returns:
        None where frames came on a schedule, which says how many there were.
    """
    if side.schedule is not None:
        return None
    if side.throughput is not None:
        return side.throughput.frames_per_s
    mean = total_step(side).mean_ms
    return 1000 / mean if mean > 0 else None


def choice_figures(sides: Sequence[SideReport], names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Headline figures of the fastest side: name, value, and a remark."""
    timed = [
        (median, side, name)
        for side, name in zip(sides, names, strict=True)
        if (median := number(total_step(side).p50_ms)) is not None
    ]
    if not timed:
        return []
    median, fastest, name = min(timed, key=lambda entry: entry[0])
    rate = frames_per_second(fastest)
    figures = [
        ("Fastest", f"{milliseconds(median)} ms", f"{name}, p50"),
        ("Its p99", _p99(fastest), _interval_text(fastest)),
    ]
    if rate is not None:
        figures.append(("Frames per second", decimal(rate, 0), "of that side"))
    if fastest is not sides[0] and fastest.ratio.median:
        figures.append(("Speed-up", f"{1 / fastest.ratio.median:.2f}×", f"over {names[0]}"))
    known = [accuracy for side in sides if (accuracy := side.accuracy.best_known) is not None]
    own = fastest.accuracy.best_known
    if own is not None:
        gap = 100 * (max(known) - own)
        figures.append(
            (
                "Its accuracy",
                f"{100 * own:.2f} %",
                f"{gap:.2f} points below the best" if gap > 0.005 else "the best of all sides",
            )
        )
    if fastest.energy is not None:
        figures.append(
            ("Its energy", f"{fastest.energy.joules_per_frame:.3g} J", "per frame, whole device")
        )
    return figures


def advised_command(report: LatencyReport) -> str:
    """Return how to run the side that the advice takes; empty without one."""
    advice = report.advice
    chosen = {side.label: side for side in report.sides}.get(advice.chosen) if advice else None
    if advice is None or chosen is None:
        return ""
    words = ["edgecl", "run", "--model", chosen.bundle]
    if chosen.digest is not None:  # a lone file has one precision
        words += ["--precision", chosen.precision]
    words += ["--engine", chosen.engine]
    if chosen.threads is not None:
        words += ["--threads", str(chosen.threads)]
    if chosen.workers is not None:
        words += ["--workers", str(chosen.workers)]
    limits = ",".join(f"{step}={limit:g}ms" for step, limit in advice.budget_ms.items())
    return shlex.join([*words, "--budget", limits])


def accuracy_note(sides: Sequence[SideReport]) -> str:
    """Return the part of the images that the accuracies are of, in words."""
    known = [side for side in sides if side.accuracy.best_known is not None]
    if not known:
        return "No accuracy is known: these are no bundles of 'edgecl export'."
    tested = [side.accuracy.test is not None for side in known]
    if all(tested):
        return "Accuracy is that of the test part, measured at export."
    if any(tested):
        return (
            "Accuracy is that of the test part where the bundle has it, otherwise of the "
            "validation part; do not compare the two."
        )
    return "Accuracy is that of the validation part, measured at export."


def hollow_note(sides: Sequence[SideReport]) -> str:
    """Return the meaning of hollow marks; empty with one engine."""
    engines = list(dict.fromkeys(side.engine for side in sides))
    if len(engines) < 2:
        return ""
    return f"filled marks are {engines[0]}, hollow marks {' or '.join(engines[1:])}"


def _p99(side: SideReport) -> str:
    p99 = total_step(side).p99_ms
    return "–" if p99 is None else f"{milliseconds(p99)} ms"


def _interval_text(side: SideReport) -> str:
    interval = total_step(side).p99_interval_ms
    if not interval:
        return "too few frames"
    return f"95 %: {milliseconds(interval[0])} to {milliseconds(interval[1])}"
