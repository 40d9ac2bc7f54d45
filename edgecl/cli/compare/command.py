"""`edgecl compare`: what became faster or slower between two latency reports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.options import ANY_PATH, Parsed
from edgecl.cli.results import print_json
from edgecl.cli.verb import Verb
from runtime.errors import GateError, InputError

if TYPE_CHECKING:
    from runtime.benchmark.comparison import ComparedSide, LatencyComparison

REPORT = "latency.json"

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def parse_percent(text: str) -> float:
    """Parse a percentage to a share: `5%` to 0.05.

    Raises:
        InputError: it is none.
    """
    found = _PERCENT.fullmatch(text.strip())
    if found is None:
        raise InputError(f"{text!r} is not a percentage", hint="write it as in 5%")
    return float(found[1]) / 100


@click.command("compare", cls=Verb, short_help="Compare latency reports.")
@click.argument("old", type=ANY_PATH, metavar="OLD")
@click.argument("new", type=ANY_PATH, required=False)
@click.option(
    "--sides",
    nargs=2,
    metavar="OLD_SIDE NEW_SIDE",
    help="Compare these two alone, by label.  [default: what belongs together]",
)
@click.option(
    "--fail-if-slower",
    "limit",
    type=Parsed("percentage", parse_percent),
    metavar="PERCENT",
    help="Exit with code 1 where a side is shown to be slower by more, as in 5%: the low end of "
    "its headline's interval lies above.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="With --fail-if-slower: exit with code 1 also where a side may be slower by more.",
)
@click.option("--steps", is_flag=True, help="Show every step and percentile.")
@click.option("--markdown", is_flag=True, help="Print a Markdown table, for a pull request.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def command(
    old: Path,
    new: Path | None,
    sides: tuple[str, str] | None,
    limit: float | None,
    strict: bool,
    steps: bool,
    markdown: bool,
    as_json: bool,
) -> None:
    """Say what became faster or slower between two reports of 'edgecl bench'.

    OLD and NEW are latency.json files or folders that hold one. With OLD alone, its bundles are
    compared with its first one, side by side; of one bundle, its sides with the first. Every
    ratio has a 95 % interval, and the median of the total decides about a side. Exits with 0
    unless --fail-if-slower says otherwise.
    """
    from edgecl.cli.compare.markdown import markdown_text
    from edgecl.cli.compare.table import print_comparison
    from runtime.benchmark import read_report
    from runtime.benchmark.comparison import compare_reports, compare_sides
    from runtime.files.document import plain

    first = _report_in(old)
    if new is None:
        found = compare_sides(read_report(first), path=first, sides=sides, limit=limit)
    else:
        second = _report_in(new)
        found = compare_reports(
            read_report(first),
            read_report(second),
            paths=(first, second),
            sides=sides,
            limit=limit,
        )
    if as_json:
        print_json(plain(found))
    elif markdown:
        click.echo(markdown_text(found, steps=steps))
    else:
        print_comparison(found, steps=steps)
    if limit is not None:
        _hold_to(found, limit, strict=strict)


def _report_in(path: Path) -> Path:
    if path.is_dir():
        inside = path / REPORT
        if not inside.exists():
            raise InputError(
                f"{path} holds no {REPORT}", hint=f"make one: edgecl bench BUNDLE --out {path}"
            )
        return inside
    return path


def _hold_to(found: LatencyComparison, limit: float, *, strict: bool) -> None:
    """End as `--fail-if-slower` says.

    Raises:
        InputError: the reports cannot decide, since something else differs.
        GateError: a side is slower by more than the limit, or, where that is strict, may be.
    """
    if not found.comparable:
        spoiling = "; ".join(
            entry.text for entry in found.differences if entry.severity == "spoils"
        )
        raise InputError(
            f"--fail-if-slower cannot be decided: {spoiling}",
            hint="measure both on one machine, alike",
        )
    slower = [side for side in found.sides if side.limit == "exceeded"]
    if slower:
        worst = max(slower, key=lambda side: side.headline.ratio)
        also = f" and {len(slower) - 1} more" if len(slower) > 1 else ""
        raise GateError(
            f"{worst.new}{also}: slower by {_slower(worst)}, more than the {limit:.1%} allowed",
            hint="look at its steps: edgecl compare … --steps",
            code="slower",
        )
    unknown = [side for side in found.sides if side.limit == "undecided"]
    if strict and unknown:
        also = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise GateError(
            f"{unknown[0].new}{also}: not shown to be slower by {limit:.1%} at most",
            hint="measure more frames, or old and new side by side in one run",
            code="slower",
        )


def _slower(side: ComparedSide) -> str:
    low, high = side.headline.interval or (side.headline.ratio, side.headline.ratio)
    return f"{side.headline.ratio - 1:.1%} ({low - 1:.1%} to {high - 1:.1%})"
