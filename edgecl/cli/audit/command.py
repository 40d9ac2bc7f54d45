"""`edgecl audit`: find copies and overlaps within and between sets, and write the groups."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from edgecl.cli.options import FOLDER
from edgecl.cli.progress import reporting, stderr_console
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.verb import Verb
from runtime.counting import counted

if TYPE_CHECKING:
    from edgecl.data.audit.summary import AuditSummary

GROUPS = "groups.csv"


@click.command("audit", cls=Verb, short_help="Find copies and overlaps; write groups.csv.")
@click.argument("folders", type=FOLDER, nargs=-1, required=True, metavar="DIR...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=GROUPS,
    show_default=True,
    help="CSV of groups for 'edgecl train --groups'. An existing file is replaced only if "
    "you pass this option.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0.5, 1.0),
    default=0.90,
    show_default=True,
    help="Minimum correlation of the shared area; raised where chance reaches it.",
)
@click.option(
    "--common",
    type=click.FloatRange(0.1, 1.0),
    default=0.35,
    show_default=True,
    help="Minimum shared area, as a fraction of the image.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    folders: tuple[Path, ...],
    out: Path,
    threshold: float,
    common: float,
    as_json: bool,
) -> None:
    """Find exact copies, near copies and shifted overlapping crops within and between sets.

    Links count above what the same search finds among mirrored images, which is chance: the
    threshold rises where it must. Mirrored or rotated copies are not found, nor overlaps between
    images of different scale.
    """
    from edgecl.data.audit.findings import audit
    from edgecl.data.audit.sets import read_sets
    from edgecl.data.audit.table import write_groups
    from runtime.files.document import plain
    from runtime.files.output_folder import own_file

    start = time.perf_counter()
    named = ctx.get_parameter_source("out") is ParameterSource.COMMANDLINE
    place = own_file(
        out, replace=named, hint="pass it with --out to replace it, or choose another file"
    )
    with place, reporting(stderr_console()) as report:
        images = read_sets(folders, report)
        found = audit(images, report, threshold=threshold, common=common)
        write_groups(out, found)
    summary = found.summary(
        threshold=threshold, common=common, seconds=time.perf_counter() - start, out=out
    )
    results_are_in(out, printed=as_json)
    if as_json:
        print_json(plain(summary))
    else:
        _print(summary)


def _print(summary: AuditSummary) -> None:
    links, cross = summary.links, summary.cross_class
    total = sum(part.images for part in summary.sets)
    for part in summary.sets:
        classes = (
            f", {counted(part.classes, 'class', 'classes')}" if part.classes else ", no classes"
        )
        click.echo(f"{part.folder}: {counted(part.images, 'image')}{classes}")
    for note in summary.notes:
        click.echo(f"note: {note}")
    click.echo(
        f"{summary.grouped_images} of {total} images show the same metal as another "
        f"one: {counted(summary.groups, 'group')}, the largest with "
        f"{counted(summary.largest_group, 'image')} ({links['exact']} exact copies, "
        f"{links['copy']} near copies, {links['overlap']} overlaps)"
    )
    for pair in summary.between_sets:
        if pair.images_with_partner:
            click.echo(
                f"{pair.images_with_partner} of {pair.images} images in "
                f"{pair.set} match an image in {pair.other}"
            )
    if summary.chance.threshold is not None:
        click.echo(
            f"expected by chance: {summary.chance.expected_false} of "
            f"{links['copy'] + links['overlap']} links, as mirrored images show"
        )
    if cross.pairs:
        click.echo(
            f"between classes: {cross.links} links among {cross.pairs:,} pairs "
            f"({cross.rate:.1e}), an estimate of the false-match rate"
        )
    click.echo(f"{summary.seconds:.0f} s; groups in {summary.out}")
