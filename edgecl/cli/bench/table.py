"""The latency report as a table on the terminal; `edgecl demo` ends with it too."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgecl.cli.bench.scenario_lines import scenario_lines, unit_of
from runtime.benchmark.document import LatencyReport, SideAccuracy, SideReport
from runtime.benchmark.facts.finding import Finding

WIDE_TERMINAL = 112
"""Width from which on every column is shown."""

_COLUMNS = ("p50", "p90", "p99", "p99.9", "ratio", "95 % interval", "accuracy", "MB")
_ONLY_WIDE = frozenset({"p90", "95 % interval", "MB"})


def print_summary(report: LatencyReport, console: Console | None = None) -> None:
    """Print a line per side, and under the table why a figure cannot be trusted."""
    console = console or Console(highlight=False)
    wide = console.width >= WIDE_TERMINAL
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(unit_of(report.scenario), overflow="fold", min_width=20)
    for name in _COLUMNS:
        if wide or name not in _ONLY_WIDE:
            table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for side in report.sides:
        cells = [text for name, text in _cells(side).items() if wide or name not in _ONLY_WIDE]
        trust = "VALID" if side.valid else "INVALID"
        # Text, not markup: a bundle may be called [red].
        table.add_row(*(Text(cell) for cell in (side.label, *cells, trust)))
    console.print(table)
    cuts = dict.fromkeys((side.name, side.cut) for side in report.sides if side.cut)
    for name, cut in cuts:
        console.print(Text(f"{name}: {cut}"), soft_wrap=True)
    for line in (*scenario_lines(report), *finding_lines(report)):
        console.print(Text(line), soft_wrap=True)


def _cells(side: SideReport) -> dict[str, str]:
    total, interval = side.steps["total"], side.ratio.interval
    values = (
        _figure(total.p50_ms, ".2f"),
        _figure(total.p90_ms, ".2f"),
        _figure(total.p99_ms, ".2f"),
        _figure(total.p99_9_ms, ".2f"),
        f"{side.ratio.median:.2f}",
        f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else "–",
        accuracy_text(side.accuracy),
        f"{side.bytes / 1e6:.2f}" if side.bytes else "–",
    )
    return dict(zip(_COLUMNS, values, strict=True))


def finding_lines(report: LatencyReport) -> list[str]:
    """Return the findings of the rules, one line per rule, each with a hint."""
    lines = [_line(finding, "") for finding in report.findings]
    by_code: dict[str, list[tuple[str, Finding]]] = {}
    for side in report.sides:
        for finding in side.findings:
            by_code.setdefault(finding.code, []).append((side.label, finding))
    for (label, finding), *others in by_code.values():
        also = f" and {len(others)} more like it" if others else ""
        lines.append(_line(finding, f"{label}{also}: "))
    lines += [f"skipped: {entry.label} ({entry.reason})" for entry in report.left_out]
    return lines


def accuracy_text(accuracy: SideAccuracy) -> str:
    """The accuracy on the test part where there is one, else on the validation part."""
    if accuracy.test is not None:
        return f"{accuracy.test:.2%}"
    if accuracy.validation is not None:
        return f"{accuracy.validation:.2%} (val.)"
    return "–"


def _line(finding: Finding, where: str) -> str:
    word = "INVALID" if finding.severity == "invalid" else "note"
    return f"{word}: {where}{finding.text}. Try: {finding.hint}"


def _figure(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
