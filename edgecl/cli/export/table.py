"""Tables in the terminal with the results of an export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from export.gate.comparison import Comparison
    from export.outcome import ExportOutcome
    from runtime.artifact.manifest import RemedyRecord

LISTED = 8
"""Layers and escapes that are listed; the page has all."""


def print_outcome(outcome: ExportOutcome, out: Path) -> None:
    """Print the precisions, what escaped, and what else was measured."""
    console = Console(highlight=False)
    console.print(_precisions(outcome))
    for name, comparison in outcome.comparisons.items():
        for line in _losses(name, comparison):
            console.print(Text(line))
    if outcome.remedies:
        console.print(_remedies(outcome.remedies))
    details = outcome.details
    if details.get("algorithms"):
        console.print(_algorithms(details["algorithms"]))
    if details.get("sensitivity"):
        console.print(_layers(details["sensitivity"]))
    if details.get("curve"):
        console.print(_curve(details["curve"]))
    if details.get("kept"):
        console.print(Text(f"kept in floating point: {', '.join(details['kept'])}"))
    if details.get("rewrites"):
        console.print(Text(f"rewrites: {', '.join(details['rewrites'])}"))
    click.echo(str(out))


def _precisions(outcome: ExportOutcome) -> Table:
    table = _table(
        "\nprecision",
        (
            "accuracy\n(val.)",
            "accuracy\n(test)",
            "largest\nchange",
            "same\nlabel",
            "escapes\n/caught",
            "\nMB",
        ),
    )
    for name, comparison in outcome.comparisons.items():
        shipped = outcome.shipped.get(name)
        test = None if shipped is None else shipped.test_accuracy
        table.add_row(
            name,
            f"{comparison.accuracy:.2%}",
            "–" if test is None else f"{test:.2%}",
            f"{comparison.max_abs_diff:.1e}",
            f"{comparison.agreement:.2%}",
            f"{comparison.escapes}/{comparison.caught}",
            f"{shipped.bytes / 1e6:.2f}" if shipped else "–",
            _state(name, outcome),
        )
    return table


def _state(name: str, outcome: ExportOutcome) -> str:
    if name not in outcome.shipped:
        return "REFUSED"
    return "unproven" if name in outcome.unproven else "shipped"


def _remedies(tried: Sequence[RemedyRecord]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("remedy")
    table.add_column("seconds", justify="right")
    table.add_column("")
    for remedy in tried:
        table.add_row(Text(remedy.remedy), f"{remedy.seconds:.1f}", Text(remedy.result))
    return table


def _losses(name: str, comparison: Comparison) -> list[str]:
    """A line for each class that lost images."""
    lines = []
    for entry in comparison.classes:
        if entry.lost or entry.escapes:
            lines.append(
                f"  {name}, {entry.label}: recall {entry.reference} to {entry.candidate} "
                f"of {entry.images}, {entry.escapes} escaped"
            )
    return lines


def _algorithms(rows: Sequence[dict[str, Any]]) -> Table:
    table = _table("\ncalibration", ("accuracy\n(val.)", "same\nlabel", "signal\nto noise"))
    for row in rows:
        table.add_row(
            row["algorithm"],
            f"{row['accuracy']:.2%}",
            f"{row['agreement']:.2%}",
            _decibels(row["snr_db"]),
            "chosen" if row["chosen"] else "",
        )
    return table


def _layers(rows: Sequence[dict[str, Any]]) -> Table:
    table = _table(
        "INT8 in this\nlayer alone", ("accuracy\n(val.)", "same\nlabel", "signal\nto noise")
    )
    for row in rows[:LISTED]:
        table.add_row(
            row["layer"],
            f"{row['accuracy']:.2%}",
            f"{row['agreement']:.2%}",
            _decibels(row["snr_db"]),
            "kept in float" if row["kept"] else "",
        )
    if len(rows) > LISTED:
        table.add_row(f"… and {len(rows) - LISTED} that lose less")
    return table


def _curve(rows: Sequence[dict[str, Any]]) -> Table:
    table = _table("calibration\nimages", ("accuracy\n(val.)", "\nlowest", "\nhighest"))
    for row in rows:
        accuracies = row["accuracies"]
        table.add_row(
            str(row["images"]),
            f"{sum(accuracies) / len(accuracies):.2%}",
            f"{min(accuracies):.2%}",
            f"{max(accuracies):.2%}",
            "enough" if row.get("enough") else "",
        )
    return table


def _table(first: str, columns: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(first)
    for heading in columns:
        table.add_column(heading, justify="right")
    table.add_column("")
    return table


def _decibels(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} dB"
