"""A history on the terminal: a row per group, and a row per label."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runtime.counting import noun
from runtime.stream.archive.history import NO_LABEL, History, HistoryGroup

DEFECTS_SHOWN = 3
NOTHING = "–"


def print_history(history: History, console: Console | None = None) -> None:
    """Print the counts; statuses that no verdict has get no column."""
    console = console or Console(highlight=False)
    total = history.total
    if not total.verdicts:
        console.print(Text(f"no verdicts in that time in {history.archive}"), soft_wrap=True)
        _print_checks(history, console)
        return
    statuses = [status for status, count in total.statuses.items() if count]
    table = _table(history.by, ("verdicts", *statuses, "yield"), "most rejected")
    for group in history.groups:
        name = group.name or f"no {history.by}"
        table.add_row(*map(Text, (name, *_cells(group, statuses))))
    if len(history.groups) > 1:
        table.add_section()
        table.add_row(*map(Text, ("all", *_cells(total, statuses))))
    console.print(table)
    console.print(_labels(total, statuses))
    for line in _lines(history):
        console.print(Text(line), soft_wrap=True)
    _print_checks(history, console)


def _print_checks(history: History, console: Console) -> None:
    for check in history.checks:
        recipe = f", recipe {check.recipe}" if check.recipe else ""
        told = "passed" if check.passed else f"FAILED: {'; '.join(check.failures)}"
        line = f"check {check.made_at[:19]}Z{recipe}: {told}"
        console.print(Text(line, style="" if check.passed else "red"), soft_wrap=True)


def _cells(group: HistoryGroup, statuses: list[str]) -> list[str]:
    share = NOTHING if group.yield_share is None else f"{group.yield_share:.2%}"
    most = ", ".join(f"{entry.label} {entry.count:,}" for entry in group.defects[:DEFECTS_SHOWN])
    counts = [f"{group.statuses.get(status, 0):,}" for status in statuses]
    return [f"{group.verdicts:,}", *counts, share, most or NOTHING]


def _labels(total: HistoryGroup, statuses: list[str]) -> Table:
    """The labels, those of the most rejects first."""
    defects = {entry.label: entry for entry in total.defects}
    table = _table("label", (*statuses, "of rejects", "cumulative"))
    for label in [*defects, *(label for label in total.labels if label not in defects)]:
        counts = total.labels[label]
        cells = [f"{counts.get(status, 0):,}" for status in statuses]
        entry = defects.get(label)
        shares = (NOTHING, NOTHING)
        if entry is not None:
            shares = (f"{entry.share:.1%}", f"{entry.cumulative:.1%}")
        name = "no answer" if label == NO_LABEL else label
        table.add_row(*map(Text, (name, *cells, *shares)))
    return table


def _lines(history: History) -> list[str]:
    total = history.total
    lines = [
        f"{total.verdicts:,} {noun(total.verdicts, 'verdict')} of "
        f"{history.runs:,} {noun(history.runs, 'run')} "
        f"in {history.archive}"
    ]
    if history.by in ("day", "shift"):
        lines[0] += f"; clock: {history.zone}"
    if total.late:
        lines.append(f"late {total.late:,}")
    if total.held_back:
        lines.append(f"rejects held back {total.held_back:,}")
    return lines


def _table(first: str, numbers: tuple[str, ...], last: str = "") -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(first, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    if last:
        table.add_column(last, overflow="fold")
    return table
