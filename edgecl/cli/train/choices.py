"""The options of `edgecl train` that are a run's choices, one per field of `TrainConfig`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgecl.cli.options import FOLDER, ImageSize
from edgecl.learning.config import (
    AUTOCAST,
    ENCODER_NAMES,
    METHODS,
    NEGATIVES,
    PRETRAIN_ON,
    VIEWS,
    TrainConfig,
)
from runtime.artifact.contract import BITS, INTERPOLATIONS

DEFAULTS = TrainConfig()

OPTIONS = (
    click.option(
        "--data",
        type=FOLDER,
        help="Labelled images: class folders, flat names like CLASS_12.jpg, or a public set. "
        "Without it, the built-in surfaces are drawn.",
    ),
    click.option(
        "--unlabelled",
        type=FOLDER,
        multiple=True,
        help="Further images for pretraining. May be repeated.",
    ),
    click.option(
        "--groups",
        type=click.Path(path_type=Path, dir_okay=False),
        help="CSV file,group: images of one group stay on one side of the split.",
    ),
    click.option(
        "--encoder",
        type=click.Choice(ENCODER_NAMES),
        default=DEFAULTS.encoder,
        show_default=True,
    ),
    click.option(
        "--weights",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Start the encoder from a file: safetensors, or a state dict of torch or torchvision.",
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
        help="Take the pretraining of another run; it must not have seen what is held out here.",
    ),
    click.option(
        "--pretrain-on",
        type=click.Choice(PRETRAIN_ON),
        default=DEFAULTS.pretrain_on,
        show_default=True,
        help="All images but those held out, or --unlabelled alone.",
    ),
    click.option(
        "--pretrain-only", is_flag=True, help="Stop there; other runs take it by --pretrained."
    ),
    click.option(
        "--image-size",
        type=ImageSize(),
        default="x".join(map(str, DEFAULTS.image_size)),
        show_default=True,
    ),
    click.option(
        "--channels",
        type=click.Choice(["1", "3"]),
        default=str(DEFAULTS.channels),
        show_default=True,
        callback=lambda _ctx, _param, value: int(value),
        help="Of the encoder: gray, or gray copied to three as in the paper and in ImageNet "
        "weights.",
    ),
    click.option(
        "--interpolation",
        type=click.Choice(INTERPOLATIONS),
        default=DEFAULTS.interpolation,
        show_default=True,
        help="Of the resize, in training and on the line; auto takes area, which loses no thin "
        "scratch, where a side shrinks to less than half.",
    ),
    click.option(
        "--bits",
        type=click.IntRange(BITS[0], BITS[-1]),
        help="How many bits of 16-bit images carry the image, as 12.  [default: what their "
        "values show]",
    ),
    click.option(
        "--split",
        type=click.Choice(["grouped", "paper"]),
        default=DEFAULTS.split,
        show_default=True,
        help="Protocol; 'paper' leaks.",
    ),
    click.option(
        "--folds",
        type=click.IntRange(2),
        help="Cut into so many folds and test on --fold, instead of once 70/15/15.",
    ),
    click.option(
        "--fold",
        type=click.IntRange(0),
        default=DEFAULTS.fold,
        show_default=True,
        help="The fold to test on, counted from 0.",
    ),
    click.option(
        "--label-share",
        type=click.FloatRange(0, 1, min_open=True),
        default=DEFAULTS.label_share,
        show_default=True,
        help="Pretend to know the labels of this share only, strip by strip, of each class.",
    ),
    click.option(
        "--label-draw",
        type=click.IntRange(0),
        default=DEFAULTS.label_draw,
        show_default=True,
        help="Which of them: another number, another draw.",
    ),
    click.option(
        "--pretrain-epochs",
        type=click.IntRange(1),
        default=DEFAULTS.pretrain_epochs,
        show_default=True,
    ),
    click.option(
        "--epochs",
        type=click.IntRange(1),
        default=DEFAULTS.epochs,
        show_default=True,
        help="Fine-tuning epochs at most.",
    ),
    click.option(
        "--batch-size", type=click.IntRange(2), default=DEFAULTS.batch_size, show_default=True
    ),
    click.option(
        "--pretrain-lr",
        type=click.FloatRange(0, min_open=True),
        default=DEFAULTS.pretrain_lr,
        show_default=True,
        help="Learning rate of pretraining.",
    ),
    click.option(
        "--lr",
        type=click.FloatRange(0, min_open=True),
        default=DEFAULTS.lr,
        show_default=True,
        help="Learning rate of fine-tuning.",
    ),
    click.option(
        "--temperature",
        type=click.FloatRange(0, min_open=True),
        default=DEFAULTS.temperature,
        show_default=True,
        help="Of the contrastive loss.",
    ),
    click.option(
        "--negatives",
        type=click.Choice(NEGATIVES),
        default=DEFAULTS.negatives,
        show_default=True,
        help="SimCLR: all other views, or those of the other half, as the paper's code has it.",
    ),
    click.option(
        "--views",
        type=click.Choice(VIEWS),
        default=DEFAULTS.views,
        show_default=True,
        help="Augmentation: SimCLR's zoom, NNCLR's crop, or the method's own (zoom without one).",
    ),
    click.option(
        "--queue-size",
        type=click.IntRange(1),
        default=DEFAULTS.queue_size,
        show_default=True,
        help="NNCLR: embeddings in the support set.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(1),
        default=DEFAULTS.patience,
        show_default=True,
        help="Epochs without a lower validation loss before stopping.",
    ),
    click.option(
        "--autocast",
        type=click.Choice(AUTOCAST),
        default=DEFAULTS.autocast,
        show_default=True,
        help="Number format; auto measures. fp16 needs a GPU.",
    ),
    click.option(
        "--compile", is_flag=True, help="Compile the networks in training; pays on long runs only."
    ),
    click.option("--seed", type=click.IntRange(0), default=DEFAULTS.seed, show_default=True),
    click.option(
        "--strict", is_flag=True, help="Refuse broken files and odd sizes instead of going on."
    ),
    click.option(
        "--allow-leak",
        is_flag=True,
        help="Pretrain even on copies of held-out images; marks every figure as leaking.",
    ),
)


def choice_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all of `OPTIONS`, in their order."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
