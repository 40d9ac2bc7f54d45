"""The page of a latency report."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from edgecl.reporting.page import write_page
from edgecl.reporting.pages.bench.arrivals import arrivals_of, scenario_text, span_text
from edgecl.reporting.pages.bench.choice import (
    accuracy_note,
    advised_command,
    choice_figures,
    choice_rows,
    hollow_note,
    row_names,
)
from edgecl.reporting.pages.bench.surroundings import fact_groups
from edgecl.reporting.pages.bench.work import layer_tables, work_rows
from edgecl.reporting.plots import latency as plots
from edgecl.reporting.plots.bench.roofline import roofline_plots
from edgecl.reporting.plots.bench.timeline import timelines
from edgecl.reporting.plots.figure import HALF, WIDE
from edgecl.reporting.plots.scatter import accuracy_plot
from runtime.benchmark.document import LatencyReport
from runtime.benchmark.facts.finding import Finding
from runtime.benchmark.report import read_report

__all__ = ["latency_page", "row_names"]


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
    rows = choice_rows(sides)
    return write_page(
        "latency.html",
        report.with_suffix(".html"),
        title=" against ".join(bundles) if len(bundles) < 4 else f"{len(bundles)} bundles",
        subtitle=_subtitle(found),
        valid=found.valid,
        verdict=_verdict(found),
        findings=_findings(found),
        advice=found.advice,
        run_command=advised_command(found),
        figures=choice_figures(sides, names),
        several=len(bundles) > 1,
        rows=rows,
        span=span_text(found.scenario),
        arrivals=arrivals_of(found),
        escapes=any(row["escape_rate"] is not None for row in rows),
        rates=any(row["throughput"] is not None for row in rows),
        energy=any(row["energy"] is not None for row in rows),
        accuracy_note=accuracy_note(sides),
        accuracy=accuracy_plot(sides, names=names, width=WIDE),
        accuracy_narrow=accuracy_plot(sides, names=names, width=HALF, height=4.2),
        hollow=hollow_note(sides),
        distributions=plots.strip_plots(sides, ["total", *plots.step_names(sides)], names=names),
        tails=plots.tail_plots(sides),
        timelines=timelines(sides),
        rounds=plots.rounds_plot(sides, found.scenario.rounds),
        work=work_rows(found),
        rooflines=roofline_plots(sides, found.peaks) if found.peaks else [],
        layers=layer_tables(sides),
        left_out=found.left_out,
        groups=fact_groups(found),
        command=found.command,
        source=report.name,
    )


def _findings(report: LatencyReport) -> list[Finding]:
    """The machine's findings, then those of sides, the same rule's on one line."""
    findings = list(report.findings)
    by_code: dict[str, list[tuple[str, Finding]]] = {}
    for side in report.sides:
        for finding in side.findings:
            by_code.setdefault(finding.code, []).append((side.label, finding))
    for (label, first), *others in by_code.values():
        also = f" (and {len(others)} more like it)" if others else ""
        findings.append(replace(first, text=f"{label}{also}: {first.text}"))
    return findings


def _verdict(report: LatencyReport) -> str:
    if not report.sides:
        return "Nothing was measured."
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
            scenario_text(scenario),
            f"{scenario.threads} thread{'s' * (scenario.threads != 1)}",
            f"frames of {scenario.frame.width}×{scenario.frame.height} pixels",
            f"{scenario.frames} per side",
            report.created.replace("T", " ").removesuffix("+00:00") + " UTC",
        ]
    )
