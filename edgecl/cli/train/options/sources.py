"""Options of `edgecl train` that name images, encoder and pretraining."""

from __future__ import annotations

from pathlib import Path

import click

from edgecl.cli.options import FOLDER
from edgecl.cli.train.options import DEFAULTS
from edgecl.learning.config import (
    ENCODER_NAMES,
    METHODS,
    PRETRAIN_ON,
)
from edgecl.learning.recipes import LINE, RECIPES

SOURCES = (
    click.option(
        "--data",
        type=FOLDER,
        help="Labelled images: class folders, flat names like CLASS_12.jpg, or a public "
        "set.  [default: the built-in surfaces]",
    ),
    click.option(
        "--unlabelled",
        type=FOLDER,
        multiple=True,
        help="More images for pretraining. Repeatable.",
    ),
    click.option(
        "--groups",
        type=click.Path(path_type=Path, dir_okay=False),
        help="CSV with the columns file,group; images of a group stay in one part of the split.",
    ),
    click.option(
        "--encoder",
        type=click.Choice(ENCODER_NAMES),
        default=DEFAULTS.encoder,
        show_default=True,
        help="Encoder; 'edgecl encoders' lists what each one costs.",
    ),
    click.option(
        "--weights",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Initial encoder weights: a safetensors file, or a torch or torchvision state dict.",
    ),
    click.option(
        "--recipe",
        type=click.Choice(tuple(RECIPES)),
        default=LINE,
        show_default=True,
        help="Choices that belong together: line (tiles at the images' own scale, wide projection "
        "head), or paper (Zabin et al. 2023). Every other option goes before it.",
    ),
    click.option(
        "--method",
        type=click.Choice(METHODS),
        default=DEFAULTS.method,
        show_default=True,
        help="Pretraining method.",
    ),
    click.option(
        "--pretrained",
        type=FOLDER,
        help="Reuse the pretraining of another run, which must not have seen the images "
        "held out here.",
    ),
    click.option(
        "--pretrain-on",
        type=click.Choice(PRETRAIN_ON),
        default=DEFAULTS.pretrain_on,
        show_default=True,
        help="Images for pretraining: all that are not held out, or only those of --unlabelled.",
    ),
    click.option(
        "--pretrain-only",
        is_flag=True,
        help="Stop after pretraining; other runs can reuse it with --pretrained.",
    ),
)
