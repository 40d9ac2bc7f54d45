"""A comparison as tables on the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgecl.cli.compare.lines import (
    HEADINGS,
    STEP_HEADINGS,
    cells,
    is_within,
    name_of,
    notes,
    shown_figures,
    spoiled_by,
)
from runtime.benchmark.comparison import Figure, LatencyComparison


def print_comparison(
    found: LatencyComparison, *, steps: bool = False, console: Console | None = None
) -> None:
    """Print a line per side, then the figures that differ, then what to know about them.

    Args:
        steps: print every figure, not only those that differ.
    """
    console = console or Console(highlight=False)
    within = is_within(found)
    for line in spoiled_by(found):
        console.print(Text(line), soft_wrap=True)
    table = _table(HEADINGS)
    for side in found.sides:
        _add(table, name_of(side, within=within), side.headline)
    console.print(table)
    for side in found.sides:
        rows = shown_figures(side, steps=steps)
        if rows:
            console.print(Text(name_of(side, within=within)), soft_wrap=True)
            table = _table(STEP_HEADINGS)
            for figure in rows:
                _add(table, f"{figure.step} {figure.percentile}", figure)
            console.print(table)
    for line in notes(found, steps=steps):
        console.print(Text(line), soft_wrap=True)


def _table(headings: tuple[str, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(headings[0], overflow="fold", min_width=14)
    for name in headings[1:-1]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(headings[-1], overflow="fold")
    return table


def _add(table: Table, name: str, figure: Figure) -> None:
    # Text, not markup: a bundle may be called [red].
    table.add_row(*(Text(cell) for cell in (name, *cells(figure))))
