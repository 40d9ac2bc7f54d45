"""`edgecl study`: a grid of training runs, and the tables that result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from edgecl.cli.ignored_options import STUDY_GRID
from edgecl.cli.options import FOLDER, ImageSize, Region
from edgecl.cli.progress import reporting, stderr_console
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.study.table import print_plan, print_summary
from edgecl.cli.verb import Verb, require_effect
from edgecl.learning.config import AUTO, AUTOCAST, ENCODER_NAMES, METHODS
from edgecl.learning.recipes import LINE, RECIPES
from edgecl.study.grid import ARMS, Study
from edgecl.study.presets import PRESETS
from runtime.artifact.tiling import GEOMETRIES, LARGEST_SCALE, TILES
from runtime.counting import counted
from runtime.errors import GateError, InputError

NO_BASELINES = "none"


@click.command("study", cls=Verb, short_help="Run a grid of training runs and write its tables.")
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="smoke: minutes, on built-in surfaces; neu-cpu: a night on two cores; paper: the "
    "full grid, days on a GPU. Other options override single settings.",
)
@click.option("--data", type=FOLDER, help="Labelled images to evaluate on.")
@click.option(
    "--groups",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV with the columns file,group; images of a group stay in one fold.",
)
@click.option(
    "--unlabelled",
    type=FOLDER,
    multiple=True,
    help="Images for pretraining that share no metal with --data. Repeatable.",
)
@click.option(
    "--leaky",
    type=FOLDER,
    multiple=True,
    help="Images that share metal with --data, for the arm 'paper', which measures the "
    "leak. Repeatable.",
)
@click.option(
    "--encoder",
    "encoders",
    type=click.Choice(ENCODER_NAMES),
    multiple=True,
    help="Encoder to pretrain and fine-tune. Repeatable.",
)
@click.option(
    "--baseline",
    "baselines",
    type=click.Choice((*ENCODER_NAMES, NO_BASELINES)),
    multiple=True,
    help="Model to compare with, trained without pretraining on all labels; none drops the "
    "preset's. Repeatable.",
)
@click.option(
    "--method",
    "methods",
    type=click.Choice([m for m in METHODS if m != "none"]),
    multiple=True,
    help="Pretraining method. Repeatable.",
)
@click.option(
    "--arm",
    "arms",
    type=click.Choice(ARMS),
    multiple=True,
    help="Images used for pretraining. clean: unlabelled sets; in-domain: also the train "
    "part; paper: also held-out and leaky images. Repeatable.",
)
@click.option("--seeds", type=click.IntRange(1), help="Number of seeds.")
@click.option("--folds", type=click.IntRange(2), help="Number of folds per seed.")
@click.option(
    "--label-share",
    "label_shares",
    type=click.FloatRange(0, 1, min_open=True),
    multiple=True,
    help="Share of the labels used in fine-tuning, e.g. 0.05. Repeatable.",
)
@click.option(
    "--draws", type=click.IntRange(1), help="Number of draws for each label share below 1."
)
@click.option(
    "--geometry",
    type=click.Choice([AUTO, *GEOMETRIES]),
    help="stretch resizes images to --image-size; tiles cuts them at their own scale; with auto, "
    "each run without pretraining takes what answers better out of fold on its own labelled "
    "images, and the runs to compare with it do likewise. tiles and auto take the line recipe.  "
    "[default: as --tile implies]",
)
@click.option("--image-size", type=ImageSize(), help="Size that images are resized to.")
@click.option(
    "--tile",
    type=ImageSize(),
    help="Cut images into tiles of this size at their own scale, by the line recipe.",
)
@click.option(
    "--scale",
    type=click.FloatRange(0, LARGEST_SCALE, min_open=True),
    help="Factor by which images are resized before they are cut into tiles.",
)
@click.option(
    "--roi",
    type=Region(),
    metavar="LEFT,TOP,WIDTH,HEIGHT",
    help="Region of interest in pixels, which every image is cut to before anything else.",
)
@click.option(
    "--flat",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Flat-field of the camera, which every image is corrected with before it is cut.",
)
@click.option(
    "--self-train",
    is_flag=True,
    default=None,
    help="Let a teacher label what has no label, in every run.",
)
@click.option("--pretrain-epochs", type=click.IntRange(1), help="Number of pretraining epochs.")
@click.option("--epochs", type=click.IntRange(1), help="Maximum number of fine-tuning epochs.")
@click.option("--lr", type=click.FloatRange(0, min_open=True), help="Learning rate of fine-tuning.")
@click.option(
    "--patience",
    type=click.IntRange(1),
    help="Stop fine-tuning after this many epochs without progress.",
)
@click.option("--channels", type=click.Choice(["1", "3"]), help="Input channels of the encoders.")
@click.option("--autocast", type=click.Choice(AUTOCAST), help="Number format for training.")
@click.option(
    "--out",
    type=FOLDER,
    default=Path("study"),
    show_default=True,
    help="Folder of the study. An existing study is continued.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Runs at a time; they share the machine's threads. The command can also be "
    "started several times.",
)
@click.option("--plan", is_flag=True, help="List the runs and exit.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    out: Path,
    processes: int,
    plan: bool,
    as_json: bool,
    preset: str | None,
    **choices: Any,
) -> None:
    """Run every combination of encoder, method, arm, seed, fold and label share, once each.

    Finished runs are not repeated, so an interrupted study continues where it stopped. Write
    summary.json and study.html.
    """
    from edgecl.reporting.pages.study import study_page
    from edgecl.study.execution import begin, work
    from edgecl.study.processes import work_together
    from edgecl.study.summary import summarise
    from runtime.files.document import plain

    console = stderr_console()
    study = _grid(preset, choices, out)
    require_effect(ctx, vars(study), STUDY_GRID)
    if plan:
        print_plan(study, out, as_json=as_json)
        return
    begin(study, out)
    if not study.data:
        console.print("no --data given: using the built-in surfaces", markup=False)
    with reporting(console) as report:
        if processes == 1:
            failures = work(study, out, report)
        else:
            failures = work_together(study, out, report, processes=processes)
    summary = summarise(study, out, failures)
    page = study_page(out)
    results_are_in(out, printed=as_json)
    if as_json:
        print_json(plain(summary))
    else:
        print_summary(summary)
        click.echo(f"{page}")
    if failures:
        first = failures[0]
        raise GateError(
            f"{len(failures)} of {counted(summary.total, 'run')} failed (first: {first.cell}: "
            f"{first.reason}); the results of the others are in {page}",
            hint="fix the cause, then run the same command again: it repeats only the failed runs",
        )


def _grid(preset: str | None, choices: dict[str, Any], out: Path) -> Study:
    """The preset, or what the folder holds, with the choices of the command line."""
    from edgecl.study.execution import GRID, read_grid

    if preset is not None:
        base = PRESETS[preset]
    elif (out / GRID).exists():
        base = read_grid(out)
    else:
        raise InputError("no grid was chosen", hint="start with --preset smoke, neu-cpu or paper")
    changed: dict[str, Any] = {}
    for name, value in choices.items():
        if value is None or value == ():
            continue
        if isinstance(value, Path):
            changed[name] = str(value.absolute())
        elif name in ("unlabelled", "leaky"):
            changed[name] = tuple(str(folder.absolute()) for folder in value)
        elif name == "geometry":
            changed |= _geometry(str(value), base, given=choices)
        elif name == "seeds":
            changed[name] = tuple(range(value))
        elif name == "channels":
            changed[name] = int(value)
        elif name == "baselines":
            changed[name] = tuple(encoder for encoder in value if encoder != NO_BASELINES)
        else:
            changed[name] = value
    if preset in ("neu-cpu", "paper") and "data" not in changed:
        raise InputError(
            f"preset {preset} needs images",
            hint="pass --data, and image sets for pretraining with --unlabelled",
        )
    return replace(base, **changed)


def _geometry(asked: str, base: Study, *, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the grid that a geometry means; `base` is what it was before."""
    if asked == AUTO:
        return {"geometry": AUTO, "tile": (), "scale": 1.0}
    tile = given["tile"] or base.tile or RECIPES[LINE]["image_size"]
    return {"geometry": "", "tile": tile if asked == TILES else ()}
