"""The page of a latency report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecl.reporting.numbers import duration, milliseconds, number, size
from edgecl.reporting.page import write_page
from edgecl.reporting.plots import latency as plots
from edgecl.reporting.plots.scatter import accuracy_plot, best_accuracy, total_step
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
    sides: Sequence[Mapping[str, Any]] = found.get("sides") or []
    scenario = found.get("scenario") or {}
    names = row_names(sides)
    bundles = list(dict.fromkeys(str(side.get("name")) for side in sides))
    return write_page(
        "latency.html",
        report.with_suffix(".html"),
        title=" against ".join(bundles) if len(bundles) < 4 else f"{len(bundles)} bundles",
        subtitle=_subtitle(found, scenario),
        valid=bool(found.get("valid")),
        verdict=_verdict(found, sides),
        findings=_findings(found, sides),
        figures=_figures(sides, names),
        several=len(bundles) > 1,
        rows=[_row(side) for side in sides],
        accuracy_note=_accuracy_note(sides),
        accuracy=accuracy_plot(sides, names=names),
        hollow=_hollow(sides),
        whole=plots.strip_plot(sides, ["total"], names=names),
        steps=plots.strip_plot(sides, plots.step_names(sides), names=names),
        tails=plots.tail_plots(sides),
        rounds=plots.rounds_plot(sides, int(scenario.get("rounds") or 0)),
        left_out=found.get("left_out") or [],
        facts=_facts(found, scenario),
        source=report.name,
    )


def row_names(sides: Sequence[Mapping[str, Any]]) -> list[str]:
    """A side's name without the parts that all sides share."""
    keys = [
        key
        for key in ("name", "precision", "engine")
        if len({side.get(key) for side in sides}) > 1 or key == "precision"
    ]
    return [" ".join(str(side.get(key, "")) for key in keys) for side in sides]


def _figures(
    sides: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> list[tuple[str, str, str]]:
    timed = [
        (median, side, name)
        for side, name in zip(sides, names, strict=True)
        if (median := number(total_step(side).get("p50_ms"))) is not None
    ]
    if not timed:
        return []
    median, fastest, name = min(timed, key=lambda entry: entry[0])
    figures = [
        ("Fastest", f"{milliseconds(median)} ms", f"{name}, p50"),
        (
            "Its p99",
            f"{milliseconds(total_step(fastest).get('p99_ms'))} ms",
            _interval_text(fastest),
        ),
        ("Frames per second", f"{1000 / median:,.0f}", "one at a time, at the median"),
    ]
    ratio = number((fastest.get("ratio") or {}).get("median"))
    if ratio and fastest is not sides[0]:
        figures.append(("Speed-up", f"{1 / ratio:.2f}×", f"over {names[0]}"))
    known = [
        (accuracy, name)
        for side, name in zip(sides, names, strict=True)
        if (accuracy := best_accuracy(side)) is not None
    ]
    if known:
        best = max(accuracy for accuracy, _ in known)
        own = best_accuracy(fastest)
        if own is not None:
            gap = 100 * (best - own)
            figures.append(
                (
                    "Its accuracy",
                    f"{100 * own:.2f} %",
                    f"{gap:.2f} points below the best"
                    if gap > 0.005
                    else "the best of all candidates",
                )
            )
    return figures


def _row(side: Mapping[str, Any]) -> dict[str, Any]:
    total, ratio = total_step(side), side.get("ratio") or {}
    return {
        "name": side.get("name"),
        "precision": side.get("precision"),
        "engine": side.get("engine"),
        "cells": [
            {"value": total.get(f"{name}_ms"), "interval": total.get(f"{name}_interval_ms")}
            for name in QUANTILES
        ],
        "slowest": total.get("max_ms"),
        "ratio": ratio.get("median"),
        "ratio_interval": ratio.get("interval"),
        "accuracy": best_accuracy(side),
        "bytes": side.get("bytes"),
        "valid": bool(side.get("valid")),
    }


def _findings(
    report: Mapping[str, Any], sides: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The machine's findings, then those of sides, the same rule's on one line."""
    findings = [dict(finding) for finding in report.get("findings") or []]
    by_code: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for side in sides:
        for finding in side.get("findings") or []:
            by_code.setdefault(finding["code"], []).append((str(side.get("label")), finding))
    for (label, first), *others in by_code.values():
        also = f" (and {len(others)} more candidates like it)" if others else ""
        findings.append({**first, "text": f"{label}{also}: {first['text']}"})
    return findings


def _verdict(report: Mapping[str, Any], sides: Sequence[Mapping[str, Any]]) -> str:
    if report.get("valid"):
        return "Enough frames, steady candidates, a quiet machine: the milliseconds can be quoted."
    bad = sum(1 for side in sides if not side.get("valid"))
    return (
        f"{bad} of {len(sides)} candidates are not valid; do not quote their milliseconds. "
        "Ratios within this report are more reliable, since the candidates took turns."
    )


def _subtitle(report: Mapping[str, Any], scenario: Mapping[str, Any]) -> str:
    environment = report.get("environment") or {}
    cpu = environment.get("cpu") or {}
    frame = scenario.get("frame") or {}
    parts = [str(cpu["model"])] if cpu.get("model") else []
    if scenario.get("threads"):
        parts.append(f"{scenario['threads']} thread{'s' * (scenario['threads'] != 1)}")
    if frame:
        parts.append(f"frames of {frame.get('width')}×{frame.get('height')} pixels")
    if scenario.get("frames"):
        parts.append(f"{scenario['frames']} per candidate")
    parts.append(str(report.get("created", "")).replace("T", " ").removesuffix("+00:00") + " UTC")
    return " · ".join(parts)


def _accuracy_note(sides: Sequence[Mapping[str, Any]]) -> str:
    tested = [number((side.get("accuracy") or {}).get("test")) is not None for side in sides]
    if all(tested):
        return "Accuracy is that of the test part, measured at export."
    if any(tested):
        return (
            "Accuracy is that of the test part where the bundle has it, otherwise of the "
            "validation part; do not compare the two."
        )
    return "Accuracy is that of the validation part, measured at export."


def _hollow(sides: Sequence[Mapping[str, Any]]) -> str:
    engines = list(dict.fromkeys(str(side.get("engine")) for side in sides))
    if len(engines) < 2:
        return ""
    return f"filled marks are {engines[0]}, hollow marks {' or '.join(engines[1:])}"


def _interval_text(side: Mapping[str, Any]) -> str:
    interval = total_step(side).get("p99_interval_ms")
    if not interval:
        return "too few frames"
    return f"95 %: {milliseconds(interval[0])} to {milliseconds(interval[1])}"


def _facts(report: Mapping[str, Any], scenario: Mapping[str, Any]) -> list[tuple[str, str]]:
    environment = report.get("environment") or {}
    cpu = environment.get("cpu") or {}
    frame = scenario.get("frame") or {}
    load = environment.get("load") or {}
    clock = environment.get("clock") or {}
    gpu = environment.get("gpu") or {}
    features = [name for name, there in (cpu.get("features") or {}).items() if there]
    heat = (environment.get("temperatures_c") or {}).get("after") or {}
    clocks = (environment.get("frequencies_mhz") or {}).get("after") or []
    memory = environment.get("memory_bytes")
    facts = [
        ("processor", f"{cpu.get('model', '–')}, {cpu.get('usable_cores', '–')} cores"),
        ("instructions", ", ".join(features)),
        ("clock governor", cpu.get("governor") or "unknown"),
        ("core clock", f"{sum(clocks) / len(clocks):.0f} MHz" if clocks else "unknown"),
        ("temperature", f"{max(heat.values()):.0f} °C" if heat else "unknown"),
        ("memory", size(memory) if not memory else f"{memory / 2**30:.1f} GiB"),
        ("GPU", ", ".join(gpu.get("devices") or []) or "none"),
        ("system", environment.get("system")),
        ("Python", environment.get("python")),
        *(environment.get("packages") or {}).items(),
        (
            "load before, after",
            " and ".join(
                f"{value:.2f}"
                for value in (load.get("before"), load.get("after"))
                if number(value) is not None
            ),
        ),
        ("CPU used by other processes", _cores(environment.get("other_load_cores"))),
        ("CPU used by other guests", _cores(environment.get("steal_cores"))),
        (
            "frames",
            f"{scenario.get('rounds')} rounds of {scenario.get('block')} per candidate"
            if scenario.get("rounds")
            else "",
        ),
        ("order", f"shuffled in every round, seed {scenario.get('seed')}"),
        (
            "not counted",
            f"{scenario.get('warmup')} warm-up frames, and {_settling(scenario)}",
        ),
        ("frame", f"{frame.get('content', '–')}, {frame.get('distinct', '–')} distinct"),
        ("clock", f"{clock.get('name', '–')}, {clock.get('overhead_ns', '–')} ns per call"),
        ("duration", duration(environment.get("wall_s"))),
    ]
    return [(str(name), str(value)) for name, value in facts if value]


def _settling(scenario: Mapping[str, Any]) -> str:
    seconds = number((scenario.get("settle") or {}).get("seconds"))
    return "–" if seconds is None else f"{1000 * seconds:g} ms at the start of every turn"


def _cores(value: Any) -> str:
    cores = number(value)
    return "unknown" if cores is None else f"{cores:.2f} cores"
