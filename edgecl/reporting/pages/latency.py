"""The page of a latency report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from edgecl.reporting.numbers import duration, milliseconds, number
from edgecl.reporting.page import write_page
from edgecl.reporting.plots import latency as plots
from edgecl.reporting.plots.scatter import accuracy_plot, best_accuracy, total_step
from runtime.benchmark.document import LatencyReport, SideReport
from runtime.benchmark.facts.finding import Finding
from runtime.benchmark.report import read_report

QUANTILES = ("p50", "p90", "p99", "p99_9")


def latency_page(report: Path) -> Path:
    """Write the page of a latency report beside it.

    Args:
        report: the latency.json that `edgecl bench` wrote.

    Returns:
        The page's path: the report's with the suffix .html.

    Raises:
        InputError: no latency report there, one of a newer schema, or the folder cannot be
            written.
    """
    found = read_report(report)
    sides = found.sides
    names = row_names(sides)
    bundles = list(dict.fromkeys(side.name for side in sides))
    return write_page(
        "latency.html",
        report.with_suffix(".html"),
        title=" against ".join(bundles) if len(bundles) < 4 else f"{len(bundles)} bundles",
        subtitle=_subtitle(found),
        valid=found.valid,
        verdict=_verdict(found),
        findings=_findings(found),
        figures=_figures(sides, names),
        several=len(bundles) > 1,
        rows=[_row(side) for side in sides],
        accuracy_note=_accuracy_note(sides),
        accuracy=accuracy_plot(sides, names=names),
        hollow=_hollow(sides),
        whole=plots.strip_plot(sides, ["total"], names=names),
        steps=plots.strip_plot(sides, plots.step_names(sides), names=names),
        tails=plots.tail_plots(sides),
        rounds=plots.rounds_plot(sides, found.scenario.rounds),
        left_out=found.left_out,
        facts=_facts(found),
        source=report.name,
    )


def row_names(sides: Sequence[SideReport]) -> list[str]:
    """A side's name without the parts that all sides share."""
    keys = [
        key
        for key in ("name", "precision", "engine")
        if len({getattr(side, key) for side in sides}) > 1 or key == "precision"
    ]
    return [" ".join(str(getattr(side, key)) for key in keys) for side in sides]


def _figures(sides: Sequence[SideReport], names: Sequence[str]) -> list[tuple[str, str, str]]:
    timed = [
        (median, side, name)
        for side, name in zip(sides, names, strict=True)
        if (median := number(total_step(side).p50_ms)) is not None
    ]
    if not timed:
        return []
    median, fastest, name = min(timed, key=lambda entry: entry[0])
    figures = [
        ("Fastest", f"{milliseconds(median)} ms", f"{name}, p50"),
        ("Its p99", f"{milliseconds(total_step(fastest).p99_ms)} ms", _interval_text(fastest)),
        ("Frames per second", f"{1000 / median:,.0f}", "one at a time, at the median"),
    ]
    if fastest is not sides[0] and fastest.ratio.median:
        figures.append(("Speed-up", f"{1 / fastest.ratio.median:.2f}×", f"over {names[0]}"))
    known = [accuracy for side in sides if (accuracy := best_accuracy(side)) is not None]
    own = best_accuracy(fastest)
    if own is not None:
        gap = 100 * (max(known) - own)
        figures.append(
            (
                "Its accuracy",
                f"{100 * own:.2f} %",
                f"{gap:.2f} points below the best" if gap > 0.005 else "the best of all sides",
            )
        )
    return figures


def _row(side: SideReport) -> dict[str, Any]:
    total = total_step(side)
    return {
        "name": side.name,
        "precision": side.precision,
        "engine": side.engine,
        "cells": [
            {
                "value": getattr(total, f"{name}_ms"),
                "interval": getattr(total, f"{name}_interval_ms"),
            }
            for name in QUANTILES
        ],
        "slowest": total.max_ms,
        "ratio": side.ratio.median,
        "ratio_interval": side.ratio.interval,
        "accuracy": best_accuracy(side),
        "bytes": side.bytes,
        "valid": side.valid,
    }


def _findings(report: LatencyReport) -> list[Finding]:
    """The machine's findings, then those of sides, the same rule's on one line."""
    findings = list(report.findings)
    by_code: dict[str, list[tuple[str, Finding]]] = {}
    for side in report.sides:
        for finding in side.findings:
            by_code.setdefault(finding.code, []).append((side.label, finding))
    for (label, first), *others in by_code.values():
        also = f" (and {len(others)} more sides like it)" if others else ""
        findings.append(replace(first, text=f"{label}{also}: {first.text}"))
    return findings


def _verdict(report: LatencyReport) -> str:
    if report.valid:
        return "Enough frames, steady sides, a quiet machine: the milliseconds can be quoted."
    bad = sum(1 for side in report.sides if not side.valid)
    return (
        f"{bad} of {len(report.sides)} sides are not valid; do not quote their milliseconds. "
        "Ratios within this report are more reliable, since the sides took turns."
    )


def _subtitle(report: LatencyReport) -> str:
    scenario = report.scenario
    return " · ".join(
        [
            report.environment.cpu.model,
            f"{scenario.threads} thread{'s' * (scenario.threads != 1)}",
            f"frames of {scenario.frame.width}×{scenario.frame.height} pixels",
            f"{scenario.frames} per side",
            report.created.replace("T", " ").removesuffix("+00:00") + " UTC",
        ]
    )


def _accuracy_note(sides: Sequence[SideReport]) -> str:
    tested = [side.accuracy.test is not None for side in sides]
    if all(tested):
        return "Accuracy is that of the test part, measured at export."
    if any(tested):
        return (
            "Accuracy is that of the test part where the bundle has it, otherwise of the "
            "validation part; do not compare the two."
        )
    return "Accuracy is that of the validation part, measured at export."


def _hollow(sides: Sequence[SideReport]) -> str:
    engines = list(dict.fromkeys(side.engine for side in sides))
    if len(engines) < 2:
        return ""
    return f"filled marks are {engines[0]}, hollow marks {' or '.join(engines[1:])}"


def _interval_text(side: SideReport) -> str:
    interval = total_step(side).p99_interval_ms
    if not interval:
        return "too few frames"
    return f"95 %: {milliseconds(interval[0])} to {milliseconds(interval[1])}"


def _facts(report: LatencyReport) -> list[tuple[str, str]]:
    scenario, environment = report.scenario, report.environment
    cpu, clock, load = environment.cpu, environment.clock, environment.load
    heat, clocks = environment.temperatures_c.after, environment.frequencies_mhz.after
    memory = environment.memory_bytes
    loads = [value for value in (load.before, load.after) if value is not None]
    settling = f"{1000 * scenario.settle.seconds:g} ms at the start of every turn"
    facts = [
        ("processor", f"{cpu.model}, {cpu.usable_cores or '–'} cores"),
        ("instructions", ", ".join(name for name, there in cpu.features.items() if there)),
        ("clock governor", cpu.governor or "unknown"),
        ("core clock", f"{sum(clocks) / len(clocks):.0f} MHz" if clocks else "unknown"),
        ("temperature", f"{max(heat.values()):.0f} °C" if heat else "unknown"),
        ("memory", f"{memory / 2**30:.1f} GiB" if memory else "unknown"),
        ("GPU", ", ".join(environment.gpu.devices) or "none"),
        ("system", environment.system),
        ("Python", environment.python),
        *environment.packages.items(),
        ("load before, after", " and ".join(f"{value:.2f}" for value in loads)),
        ("CPU used by other processes", _cores(environment.other_load_cores)),
        ("CPU used by other guests", _cores(environment.steal_cores)),
        ("frames", f"{scenario.rounds} rounds of {scenario.block} per side"),
        ("order", f"shuffled in every round, seed {scenario.seed}"),
        ("not counted", f"{scenario.warmup} warm-up frames, and {settling}"),
        ("frame", f"{scenario.frame.content}, {scenario.frame.distinct} distinct"),
        ("tiles", _cuts(report.sides)),
        ("clock", f"{clock.name}, {clock.overhead_ns} ns per call"),
        ("duration", duration(environment.wall_s)),
    ]
    return [(name, value) for name, value in facts if value]


def _cuts(sides: Sequence[SideReport]) -> str:
    """Describe how each bundle's frames are cut; empty where none are."""
    return ", ".join(dict.fromkeys(f"{side.name}: {side.cut}" for side in sides if side.cut))


def _cores(cores: float | None) -> str:
    return "unknown" if cores is None else f"{cores:.2f} cores"
