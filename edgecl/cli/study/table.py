"""Tables of `edgecl study` in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.results import print_json
from edgecl.study.cells import cells
from edgecl.study.grid import GROUPED, Condition, Study
from runtime.counting import counted

if TYPE_CHECKING:
    from edgecl.study.documents import CandidateGeometry, StudySummary

PLAIN_WIDTH = 160


def print_plan(study: Study, out: Path, *, as_json: bool) -> None:
    """Print the runs of a study in a folder, and which of them are done."""
    from edgecl.study.execution import is_done
    from edgecl.study.geometry import settled

    everything = [(cell, is_done(out, cell)) for cell in settled(out, cells(study))]
    if as_json:
        print_json([{"run": cell.name, "done": done} for cell, done in everything])
        return
    for cell, done in everything:
        where = f", if a run chooses {cell.only_in}" if cell.only_in and cell.waits else ""
        click.echo(f"{'done' if done else '    '} {cell.name}{where}")
    click.echo(
        f"{sum(done for _, done in everything)} of {counted(len(everything), 'run')} are done"
    )


def print_summary(summary: StudySummary) -> None:
    """Print the conditions of a study, the geometries that were chosen, and the comparisons."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("encoder", "pretraining", "arm", "views", "split", "labels"):
        table.add_column(name, no_wrap=True)
    for name in ("accuracy", "95 % interval", "macro F1", "published", "runs"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in summary.conditions:
        accuracy, published = entry.accuracy, entry.published
        f1 = entry.macro_f1
        table.add_row(
            entry.encoder,
            entry.method,
            entry.arm,
            entry.views,
            entry.protocol,
            f"{100 * entry.label_share:g} %",
            f"{accuracy.value:.2%}",
            f"{accuracy.low:.1%} to {accuracy.high:.1%}",
            "–" if f1 is None else f"{f1:.3f}",
            f"{published.accuracy:.2%}" if published and entry.label_share == 1 else "",
            f"{entry.runs}/{entry.expected_runs}",
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH  # nothing is cut in a file or a pipe
    console.print(table)
    for found in summary.geometries:
        chosen = ", ".join(_candidate(one, found.runs) for one in found.candidates)
        split = "" if found.protocol == GROUPED else f", split {found.protocol}"
        click.echo(f"{found.encoder}, {100 * found.label_share:g} % of the labels{split}: {chosen}")
    for pair in summary.comparisons:
        first, difference = pair.first, pair.difference
        what = (
            f"{first.method} ({first.arm}) against no pretraining, both in {first.views} views"
            if pair.kind == "pretraining"
            else f"the leaky protocol against {_grouped(pair.second)}"
        )
        click.echo(
            f"{first.encoder}, {100 * first.label_share:g} % of the labels: {what}: "
            f"{100 * difference.value:+.2f} points ({100 * difference.low:+.2f} to "
            f"{100 * difference.high:+.2f}), p = {pair.p:.4f}"
        )


def _candidate(one: CandidateGeometry, runs: int) -> str:
    asked = "" if one.accuracy is None else f" ({one.accuracy:.1%} out of fold)"
    return f"{one.name} in {one.chosen} of {runs} runs{asked}"


def _grouped(second: Condition) -> str:
    if second.method == "none":
        return "the grouped one, no pretraining"
    return f"the grouped one, {second.method} ({second.arm})"
