"""`edgecl pick`: choose the unlabelled images that are worth a label next."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.options import FOLDER
from edgecl.cli.progress import reporting, stderr_console
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.verb import Verb
from runtime.errors import InputError

if TYPE_CHECKING:
    from edgecl.picking.documents import PickSummary
    from edgecl.picking.encoder import RunEncoder

NOTES_SHOWN = 5


@click.command("pick", cls=Verb, short_help="Choose which unlabelled images to label next.")
@click.argument("folders", type=FOLDER, nargs=-1, required=True, metavar="FOLDER...")
@click.option(
    "--count", type=click.IntRange(1), default=24, show_default=True, help="Number of images."
)
@click.option(
    "--out",
    type=FOLDER,
    default=Path("picked"),
    show_default=True,
    help="New folder for copies of the images, picked.csv and picked.html.",
)
@click.option(
    "--labelled",
    type=FOLDER,
    multiple=True,
    help="Images that are labelled already, as for 'edgecl train --data'. Repeatable.  "
    "[default: those of --run]",
)
@click.option(
    "--run",
    type=FOLDER,
    help="Run of 'edgecl train' whose encoder describes the images as well, in its own geometry.",
)
@click.option(
    "--scale",
    type=click.FloatRange(0, 8, min_open=True),
    default=1.0,
    show_default=True,
    help="Factor by which every image is resized before it is described.",
)
@click.option(
    "--bits",
    type=click.IntRange(8, 16),
    help="How many bits of a 16-bit image are used, e.g. 12.  [default: from the values]",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the clusters."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    folders: tuple[Path, ...],
    count: int,
    out: Path,
    labelled: tuple[Path, ...],
    run: Path | None,
    scale: float,
    bits: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Choose the unlabelled images whose labels would teach most, and copy them to a folder.

    While labels are few, take the most typical image of each cluster without a label; from 10
    labelled images per class on, those that a model doubts. Skip near copies of labelled and of
    picked images.
    """
    from edgecl.picking.documents import PickSummary
    from edgecl.picking.encoder import load_encoder
    from edgecl.picking.work import PickChoices, pick, write_picked
    from edgecl.reporting.pages.picking import picking_page
    from runtime.files.atomic import replacing_folder
    from runtime.files.document import plain

    start = time.perf_counter()
    with _new_place(out):
        encoder = None if run is None else load_encoder(run)
        notes: list[str] = []
        if encoder is not None and not labelled:
            labelled, notes = _labelled_of(encoder)
        choices = PickChoices(
            folders,
            count,
            labelled=labelled,
            encoder=encoder,
            scale=scale,
            bits=bits,
            seed=seed,
        )
        with reporting(stderr_console()) as report:
            picked = pick(choices, report)
        choice = picked.choice
        summary = PickSummary(
            picked=tuple(picked.rows),
            asked=count,
            way=choice.way,
            rule=choice.rule,
            images=picked.offered,
            labelled=picked.labelled,
            classes=picked.classes,
            clusters=int(choice.clusters.max()) + 1,
            copies=picked.copies,
            model=choice.model,
            notes=(*notes, *picked.notes),
            seed=seed,
            seconds=time.perf_counter() - start,
            out=str(out),
        )
        with replacing_folder(out) as temporary:
            write_picked(temporary, picked)
            picking_page(temporary, summary, picked.images)
    results_are_in(out, printed=as_json)
    if as_json:
        print_json(plain(summary))
    else:
        _print(summary)


@contextmanager
def _new_place(out: Path) -> Iterator[None]:
    """Hold the folder that will be written: labels may be in one that is there.

    Raises:
        InputError: something is in it, another process is at it, or it cannot be written.
    """
    from runtime.files.output_folder import own_folder

    with own_folder(out):
        if any(out.iterdir()):
            raise InputError(f"{out} already exists", hint="choose another --out")
        yield


def _labelled_of(encoder: RunEncoder) -> tuple[tuple[Path, ...], list[str]]:
    """Return the folder of a run's images, and a note where it is not there any more."""
    data = encoder.config.data
    if not data:
        return (), ["the run was trained on the built-in surfaces: no image counts as labelled"]
    if not Path(data).is_dir():
        return (), [
            f"the images of the run are not in {data} any more: none counts as labelled "
            "(pass them with --labelled)"
        ]
    return (Path(data),), []


def _print(summary: PickSummary) -> None:
    from runtime.counting import counted
    from runtime.image.folder.notes import shown

    of = f"{summary.images:,}, {summary.labelled:,} labelled already"
    what = "typical" if summary.way == "typical" else "doubtful"
    click.echo(f"{counted(len(summary.picked), f'{what} image')} of {of}: {summary.rule}")
    if summary.model:
        click.echo(f"margins of {shown(summary.model)}")
    for note in summary.notes[:NOTES_SHOWN]:
        click.echo(f"note: {shown(note)}")
    if len(summary.notes) > NOTES_SHOWN:
        click.echo(f"note: {len(summary.notes) - NOTES_SHOWN} more, see --json")
    click.echo(f"{summary.copies:,} copies passed over; {summary.seconds:.0f} s")
    click.echo(f"{Path(summary.out) / 'picked.html'}")
