"""Options of `edgecl tune`."""

from __future__ import annotations

from pathlib import Path

import click

from edgecl.cli.options import ANY_PATH, DEVICE, FOLDER, Checked, option_group

PAGE = "tuning.html"


def _check_limit(text: str) -> object:
    from edgecl.tuning.choice import parse_limit

    return parse_limit(text)


_LIMIT = Checked("share", _check_limit)
_OPTIONS = (
    click.option(
        "--model",
        type=ANY_PATH,
        metavar="BUNDLE",
        help="Bundle whose thresholds are tuned.  [default: that of --config]",
    ),
    click.option(
        "--data",
        type=FOLDER,
        multiple=True,
        help="Labelled images, as for 'edgecl train', that the model was not trained on. "
        "Repeatable.",
    ),
    click.option(
        "--groups",
        type=click.Path(path_type=Path, dir_okay=False),
        help="CSV with the columns file,group for --data; images of a group count once.  "
        "[default: groups.csv of an exported review]",
    ),
    click.option(
        "--reviewed",
        type=FOLDER,
        multiple=True,
        help="Collected images with the decisions of 'edgecl review'. Repeatable.",
    ),
    click.option(
        "--run",
        type=FOLDER,
        help="Run of 'edgecl train' that the bundle was exported from: its validation part.",
    ),
    click.option(
        "--max-escapes",
        "max_escapes",
        type=_LIMIT,
        multiple=True,
        metavar="SHARE",
        help="Choose the fewest false rejects with at most so many escapes, e.g. 0.5%; or for one "
        "defect, e.g. scratch=0.1%. Repeatable.",
    ),
    click.option(
        "--max-false-rejects",
        type=_LIMIT,
        metavar="SHARE",
        help="Choose the fewest escapes with at most so many false rejects, e.g. 2%.",
    ),
    click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Configuration of the line: its rules hold, and the chosen threshold is written "
        "into it.",
    ),
    click.option(
        "--pass-label",
        "pass_labels",
        multiple=True,
        metavar="LABEL",
        help="Label that lets a part pass. Repeatable.  [default: those of --config, or of the "
        "bundle]",
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", "fp32", "fp16", "int8"]),
        help="Precision that the line runs.  [default: that of --config, or the fastest]",
    ),
    DEVICE,
    click.option(
        "--out",
        type=click.Path(path_type=Path, dir_okay=False),
        default=PAGE,
        show_default=True,
        help="Page of the curve. An existing file is replaced only if you pass this option.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
)


tune_options = option_group(*_OPTIONS)
"""Decorator with the options of the verb."""
