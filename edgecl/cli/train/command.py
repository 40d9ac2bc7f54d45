"""`edgecl train`: pretrain, fine-tune, evaluate once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edgecl.cli.options import FOLDER
from edgecl.cli.progress import reporting, stderr_console
from edgecl.cli.results import print_json, results_are_in
from edgecl.cli.train.choices import choice_options, chosen_fields
from edgecl.cli.verb import Verb
from edgecl.learning.config import TrainConfig
from runtime.counting import counted
from runtime.errors import InputError
from runtime.files.document import plain
from runtime.files.output_folder import new_folder, own_folder

if TYPE_CHECKING:
    from edgecl.learning.documents import PretrainingFacts, RunResult
    from edgecl.learning.findings import ShiftReport


MOST_NOTES = 8
"""Notes that the terminal shows; few labels have many."""


@click.command("train", cls=Verb, short_help="Train an encoder and evaluate it.")
@choice_options
@click.option("--out", type=FOLDER, help="Run directory.  [default: runs/ENCODER-METHOD-TIME]")
@click.option(
    "--resume", is_flag=True, help="Resume the run in --out, or the newest unfinished one."
)
@click.option(
    "--tensorboard",
    is_flag=True,
    help="Write TensorBoard logs to the run directory; resumed runs keep doing so.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    out: Path | None,
    resume: bool,
    tensorboard: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Train an encoder and evaluate it on a held-out test part.

    Write a run directory with the weights, metrics per epoch, predictions per test image,
    result.json and report.html.
    """
    from edgecl.learning.compute.ranks import joined
    from edgecl.learning.run import run_directory
    from edgecl.learning.run.pretrained import pretrained_method
    from edgecl.learning.run.tensorboard_log import open_log

    ranks = ctx.with_resource(joined())
    console = stderr_console(quiet=not ranks.first)
    chosen: dict[str, Any] = {
        name: str(value.absolute()) if isinstance(value, Path) else value
        for name, value in chosen_fields(choices, _given(ctx)).items()
        if value is not None
    }
    chosen["unlabelled"] = tuple(str(folder.absolute()) for folder in choices["unlabelled"])
    config = TrainConfig(**chosen)
    if config.pretrained and ctx.get_parameter_source("method") is ParameterSource.DEFAULT:
        config = replace(config, method=pretrained_method(Path(config.pretrained)))
    if resume:
        run = out or Path(ranks.by_first(lambda: str(run_directory.newest_run(finished=False))))
        config = ranks.by_all(lambda: run_directory.read_config(run)).choices
        _refuse_changes(ctx, config, chosen, run)
        if ranks.by_first((run / run_directory.RESULT).exists):
            console.print(f"{run} is finished already", markup=False)
            if ranks.first:
                _print_result(run, run_directory.read_result(run), as_json)
            return
        ranks.by_first(lambda: str(ctx.with_resource(own_folder(run))))
    else:
        run = Path(ranks.by_first(lambda: str(ctx.with_resource(place_of_run(config, out)))))
    # Only now: they take as long to import as torch does, and a folder may be refused.
    from edgecl.learning.runner import pretrain_run, train_run
    from edgecl.reporting.pages.training import training_page

    log = ranks.by_all(lambda: open_log(run, asked_for=tensorboard) if ranks.first else None)
    if not config.data:
        console.print("no --data given: training on the built-in surfaces", markup=False)
    with reporting(console) as report:
        if config.pretrain_only:
            facts = pretrain_run(config, run, report=report, ranks=ranks, log=log)
        else:
            result = train_run(config, run, report=report, ranks=ranks, log=log)
            if ranks.first:
                training_page(run)
    if ranks.first and config.pretrain_only:
        _print_pretraining(run, facts, as_json)
    elif ranks.first:
        _print_result(run, result, as_json)


@contextmanager
def place_of_run(config: TrainConfig, out: Path | None) -> Iterator[Path]:
    """Make and hold the folder of a new run.

    Raises:
        InputError: there is a run already, another process is at it, or it cannot be written.
    """
    from edgecl.learning.run.run_directory import RUNS

    if out is None:
        start = f"{datetime.now():%Y%m%d-%H%M%S}"
        with new_folder(RUNS / f"{config.encoder}-{config.method}-{start}") as run:
            yield run
        return
    with own_folder(out):
        if any(out.iterdir()):
            raise InputError(
                f"{out} already exists",
                hint="choose another --out, or continue that run with --resume",
            )
        yield out


def _refuse_changes(
    ctx: click.Context, config: TrainConfig, chosen: dict[str, Any], run: Path
) -> None:
    """Refuse options that differ from a resumed run's choices."""
    given = _given(ctx)
    for name, value in chosen.items():
        options = {name, "tile"} if name in ("image_size", "geometry") else {name}
        if not options & given:
            continue
        before = getattr(config, name)
        if value != before and not (name in ("autocast", "geometry") and value == "auto"):
            option = "--" + name.replace("_", "-")
            raise InputError(
                f"{option} {value} differs from the {before} that {run} was started with",
                hint=f"omit {option}, or start a new run",
            )


def _given(ctx: click.Context) -> set[str]:
    """Return the names of the options on the command line."""
    return {
        name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def _print_pretraining(run: Path, facts: PretrainingFacts, as_json: bool) -> None:
    results_are_in(run, printed=as_json)
    if as_json:
        print_json({"run": str(run), **plain(facts)})
        return
    last = facts.last_epoch
    click.echo(
        f"{facts.method}, {counted(facts.epochs, 'epoch')} on {counted(facts.images, 'image')}: "
        f"contrastive accuracy {last.contrastive_accuracy:.1%}; frozen, on the validation part: "
        f"linear probe {last.probe_accuracy:.1%}, nearest neighbours {last.knn_accuracy:.1%}"
    )
    for note in facts.notes:
        click.echo(f"note: {note}")
    click.echo(f"next: edgecl train --pretrained {run}")


def _print_result(run: Path, result: RunResult, as_json: bool) -> None:
    results_are_in(run, printed=as_json)
    if as_json:
        print_json({"run": str(run), **plain(result)})
        return
    low, high = result.accuracy_interval
    click.echo(
        f"test accuracy {result.accuracy:.2%} (95 % interval {low:.1%} to {high:.1%}), "
        f"macro F1 {result.macro_f1:.3f}, {result.counts['test']} images"
    )
    for line in _rivals(result):
        click.echo(line)
    worst = min(result.recall, key=result.recall.__getitem__)
    click.echo(f"lowest recall: {worst} {result.recall[worst]:.1%}")
    if result.shifts is not None:
        click.echo(worst_shift_line(result.shifts))
    click.echo(result.protocol_note)
    for note in result.notes[:MOST_NOTES]:
        click.echo(f"note: {note}")
    if len(result.notes) > MOST_NOTES:
        click.echo(f"note: {len(result.notes) - MOST_NOTES} more in {run / 'result.json'}")
    click.echo(f"{run / 'report.html'}")


def worst_shift_line(report: ShiftReport) -> str:
    """Describe the shift of the camera that costs most."""
    worst = report.worst
    line = (
        f"worst camera shift: {worst.name}, accuracy {worst.accuracy:.1%} (without a shift "
        f"{report.accuracy:.1%}, {report.images} of {report.of} test images)"
    )
    if worst.escapes is None or report.escapes is None:
        return line
    return f"{line}; {worst.escapes:.1%} of the defects pass (without {report.escapes:.1%})"


def _rivals(result: RunResult) -> Iterator[str]:
    """Lines on what the network is compared with."""
    if result.texture_baseline is not None:
        beaten = (
            "" if result.accuracy > result.texture_baseline else ": the network does not beat it"
        )
        yield (
            f"texture descriptor with {result.texture_model}: {result.texture_baseline:.2%}{beaten}"
        )
    if result.probe is not None:
        yield f"frozen encoder with logistic regression: {result.probe:.2%}"
    if result.tuning is not None and result.tuning.chosen:
        compared = ", ".join(f"{one.name} {one.accuracy:.1%}" for one in result.tuning.candidates)
        yield f"fine-tuned: {result.tuning.chosen} (out of fold: {compared})"
    told = result.self_training
    if told is None:
        return
    if told.refused:
        yield f"self-training refused: {told.refused}"
    elif told.student is not None and told.teacher_accuracy is not None:
        yield (
            f"self-training: teacher {told.teacher_accuracy:.2%} ({told.teacher}), network before "
            f"{told.before:.2%}, student {told.student:.2%} on {told.unlabelled} unlabelled images"
        )
