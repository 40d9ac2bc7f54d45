"""The latency report as a Markdown table, for a pull request."""

from __future__ import annotations

import re

from edgecl.cli.bench.table import accuracy_text, finding_lines
from edgecl.reporting.numbers import milliseconds, percent, size
from runtime.benchmark.document import LatencyReport, SideReport

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~!&@])")


def markdown_table(report: LatencyReport) -> str:
    """Return a row per side, under it what spoils the measurement, and how to repeat it."""
    escapes = any(side.accuracy.escape_rate is not None for side in report.sides)
    energy = any(side.energy is not None for side in report.sides)
    heads = ["side", "p50 ms", "p99 ms", "p99.9 ms", "ratio", "accuracy"]
    heads += ["escapes"] * escapes + ["size"] + ["J per frame"] * energy
    rows = [_row(side, escapes=escapes, energy=energy) for side in report.sides]
    scenario = report.scenario
    state = "VALID" if report.valid else "INVALID"
    lines = [
        f"**{state}**: {_text(report.environment.cpu.model)}, {scenario.threads} "
        f"thread{'s' * (scenario.threads != 1)}, {scenario.frames} frames of "
        f"{scenario.frame.width}×{scenario.frame.height} per side",
        "",
        f"| {' | '.join(heads)} |",
        f"|---|{'---:|' * (len(heads) - 1)}",
        *(f"| {' | '.join(cells)} |" for cells in rows),
    ]
    notes = finding_lines(report)
    if notes:
        lines += ["", *(f"- {_text(note)}" for note in notes)]
    if report.advice is not None:
        lines += ["", f"**Budget**: {_text(report.advice.conclusion)}."]
    if report.command:
        lines += ["", f"Repeat: {_code(report.command)}"]
    return "\n".join(lines)


def _row(side: SideReport, *, escapes: bool, energy: bool) -> list[str]:
    total, ends = side.steps["total"], side.ratio.interval
    interval = f" ({ends[0]:.2f}–{ends[1]:.2f})" if ends else ""
    cells = [
        _text(side.label) + ("" if side.valid else " (INVALID)"),
        milliseconds(total.p50_ms),
        milliseconds(total.p99_ms),
        milliseconds(total.p99_9_ms),
        f"{side.ratio.median:.2f}{interval}",
        accuracy_text(side.accuracy),
    ]
    if escapes:
        cells.append(percent(side.accuracy.escape_rate, 2))
    cells.append(size(side.bytes))
    if energy:
        cells.append("–" if side.energy is None else f"{side.energy.joules_per_frame:.4g}")
    return cells


def _text(text: str) -> str:
    """Text on one line, whatever it says."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """Code on one line, within more backticks than it has in a row."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{' '.join(text.split())}{pad}{fence}"
