"""`edgecl history`: count the verdicts of an archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.options import ANY_PATH, Checked
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.verb import Verb

if TYPE_CHECKING:
    from runtime.stream.archive.history import By


def _check_shifts(text: str) -> object:
    from runtime.stream.archive.periods import parse_shifts

    return parse_shifts(text)


def _check_moment(text: str) -> object:
    from runtime.stream.archive.periods import parse_moment

    return parse_moment(text)


_MOMENT = Checked("time", _check_moment)


@click.command("history", cls=Verb, short_help="Count the verdicts of an archive.")
@click.argument("archive", type=ANY_PATH, metavar="FILE")
@click.option(
    "--by",
    type=click.Choice(["day", "shift", "lot", "run", "recipe"]),
    help="What a row is.  [default: shift with --shifts, else day]",
)
@click.option(
    "--shifts",
    type=Checked("shifts", _check_shifts),
    metavar="HH:MM,...",
    help="When the shifts begin, e.g. 06:00,14:00,22:00.",
)
@click.option(
    "--since",
    type=_MOMENT,
    metavar="TIME",
    help="Count from this day or time on, e.g. 2026-11-27 or 2026-11-27T06:00.",
)
@click.option(
    "--until",
    type=_MOMENT,
    metavar="TIME",
    help="Count up to the end of this day, or to this time.",
)
@click.option(
    "--csv", "table", type=ANY_PATH, metavar="FILE", help="Write the counts as CSV as well."
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def command(
    archive: Path,
    by: By | None,
    shifts: str | None,
    since: str | None,
    until: str | None,
    table: Path | None,
    as_json: bool,
) -> None:
    """Count the verdicts that 'edgecl run --sink sqlite:FILE' archived.

    Show statuses, yield and the most frequent defects by day, shift, lot, run or recipe. Days and
    shifts are those of this machine's clock; a shift belongs to the day on which it begins. A
    stream may write to FILE meanwhile.
    """
    from edgecl.cli.history.table import write_csv
    from runtime.errors import InputError
    from runtime.files.document import plain
    from runtime.stream.archive.history import read_history
    from runtime.stream.archive.periods import parse_moment, parse_shifts

    by = by or ("shift" if shifts else "day")
    if by == "shift" and shifts is None:
        raise InputError(
            "--by shift needs the times at which shifts begin",
            hint="add --shifts 06:00,14:00,22:00",
        )
    start = None if since is None else parse_moment(since)
    end = None if until is None else parse_moment(until, end=True)
    if start is not None and end is not None and start >= end:
        raise InputError(f"--until {until} is not after --since {since}", hint="exchange the two")
    history = read_history(
        archive,
        by,
        since=start,
        until=end,
        shifts=None if shifts is None else parse_shifts(shifts),
    )
    if table is not None:
        write_csv(table, history)
        results_are_in(table, printed=as_json)
    if as_json:
        print_json(plain(history))
    else:
        from edgecl.cli.history.view import print_history

        print_history(history)
