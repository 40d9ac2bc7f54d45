"""A comparison as Markdown, for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

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
from runtime.benchmark.comparison import LatencyComparison

_MEANT = re.compile(r"([\\`*_{}\[\]<>|#~])")


def markdown_text(found: LatencyComparison, *, steps: bool = False) -> str:
    """Return the headlines as a table, and the rest as tables and a list.

    Args:
        steps: list every figure, not only those that differ.
    """
    within = is_within(found)
    lines = [f"**{_escaped(line)}**\n" for line in spoiled_by(found)]
    lines += [
        *_table(
            HEADINGS,
            [(name_of(side, within=within), *cells(side.headline)) for side in found.sides],
        )
    ]
    for side in found.sides:
        rows = shown_figures(side, steps=steps)
        if rows:
            lines += ["", f"**{_escaped(name_of(side, within=within))}**", ""]
            lines += _table(
                STEP_HEADINGS,
                [(f"{figure.step} {figure.percentile}", *cells(figure)) for figure in rows],
            )
    lines += ["", *(f"- {_escaped(line)}" for line in notes(found, steps=steps))]
    return "\n".join(lines)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(headings)
    yield _row(["---", *("---:" for _ in headings[1:-1]), "---"])
    for row in rows:
        yield _row([_escaped(cell) for cell in row])


def _row(cells_of_row: Sequence[str]) -> str:
    return f"| {' | '.join(cells_of_row)} |"


def _escaped(text: str) -> str:
    """Text without marks of Markdown, on one line: a bundle may have any name."""
    return _MEANT.sub(r"\\\1", " ".join(text.split()))
