"""`edgecl doctor`: check this machine, and list what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from edgecl.cli.results import print_json
from edgecl.cli.verb import Verb

MARKS = {"ok": "✓", "missing": "✗", "note": "·"}


@click.command(
    "doctor", cls=Verb, short_help="Check this machine: hardware, packages, what is missing."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(as_json: bool) -> None:
    """Show Python, packages, CPU, memory, GPU and cameras, and list what is missing.

    Nothing is installed, changed or downloaded. The exit code is 0 even if something is missing.
    """
    from edgecl.cli.doctor.diagnosis import diagnose

    found = diagnose()
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    styles = {"ok": "green", "missing": "yellow", "note": "dim"}
    for section in found["sections"]:
        console.print(Text(section["title"], style="bold"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, min_width=3, justify="right")
        table.add_column(min_width=16, no_wrap=True)
        table.add_column(overflow="fold")
        for row in section["rows"]:
            text = Text(row["value"])
            if row["hint"]:
                text.append(f"  → {row['hint']}", style="dim")
            mark = Text(MARKS[row["state"]], style=styles[row["state"]])
            table.add_row(mark, Text(row["name"]), text)
        console.print(table)
        console.print()
