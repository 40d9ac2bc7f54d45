"""The options of `edgecl train` that are a run's choices, one per field of `TrainConfig`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from runtime.artifact.tiling import COMBINATIONS, GEOMETRIES, LARGEST_SCALE, STRETCH, TILES

DEFAULTS = TrainConfig()
DEFAULT_TILE = (96, 96)

OPTIONS = (
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
    click.option(
        "--image-size",
        type=ImageSize(),
        default="x".join(map(str, DEFAULTS.image_size)),
        show_default=True,
        help="Size that images are resized to, with --geometry stretch.",
    ),
    click.option(
        "--geometry",
        type=click.Choice(GEOMETRIES),
        help="stretch resizes every image to --image-size; tiles cuts it at its own scale, and "
        f"the tiles answer together.  [default: {DEFAULTS.geometry}; tiles where --tile is given]",
    ),
    click.option(
        "--tile",
        type=ImageSize(),
        help=f"Size of the tiles.  [default: {DEFAULT_TILE[0]}x{DEFAULT_TILE[1]}]",
    ),
    click.option(
        "--stride",
        type=ImageSize(),
        help="Largest step from one tile to the next.  [default: the tile's size]",
    ),
    click.option(
        "--scale",
        type=click.FloatRange(0, LARGEST_SCALE, min_open=True),
        default=DEFAULTS.scale,
        show_default=True,
        help="Factor by which every image is resized before it is cut into tiles.",
    ),
    click.option(
        "--combine",
        type=click.Choice(["auto", *COMBINATIONS]),
        default=DEFAULTS.combine,
        show_default=True,
        help="An image's answer from its tiles': mean, the worst tile (for small defects), or "
        "auto for what the validation part shows to be better.",
    ),
    click.option(
        "--robust",
        is_flag=True,
        help="Train on tiles as a drifting camera would take them: out of focus, noisy, "
        "compressed, darker, askew.",
    ),
    click.option(
        "--channels",
        type=click.Choice(["1", "3"]),
        default=str(DEFAULTS.channels),
        show_default=True,
        callback=lambda _ctx, _param, value: int(value),
        help="Input channels: 1 (gray), or 3 (gray copied three times, as the paper and "
        "ImageNet weights have it).",
    ),
    click.option(
        "--interpolation",
        type=click.Choice(INTERPOLATIONS),
        default=DEFAULTS.interpolation,
        show_default=True,
        help="Interpolation for resizing, in training and on the line; auto uses area, "
        "which keeps thin scratches, when a side shrinks to less than half.",
    ),
    click.option(
        "--bits",
        type=click.IntRange(BITS[0], BITS[-1]),
        help="How many bits of a 16-bit image are used, e.g. 12.  [default: from the values]",
    ),
    click.option(
        "--split",
        type=click.Choice(["grouped", "paper"]),
        default=DEFAULTS.split,
        show_default=True,
        help="Split protocol: grouped keeps overlap groups together; paper splits at "
        "random and leaks.",
    ),
    click.option(
        "--folds",
        type=click.IntRange(2),
        help="Number of folds; test on --fold instead of splitting 70/15/15.",
    ),
    click.option(
        "--fold",
        type=click.IntRange(0),
        default=DEFAULTS.fold,
        show_default=True,
        help="Fold to test on, counted from 0.",
    ),
    click.option(
        "--label-share",
        type=click.FloatRange(0, 1, min_open=True),
        default=DEFAULTS.label_share,
        show_default=True,
        help="Share of each class's labels to use, chosen strip by strip.",
    ),
    click.option(
        "--label-draw",
        type=click.IntRange(0),
        default=DEFAULTS.label_draw,
        show_default=True,
        help="Number of the random draw for --label-share.",
    ),
    click.option(
        "--pretrain-epochs",
        type=click.IntRange(1),
        default=DEFAULTS.pretrain_epochs,
        show_default=True,
        help="Number of pretraining epochs.",
    ),
    click.option(
        "--epochs",
        type=click.IntRange(1),
        default=DEFAULTS.epochs,
        show_default=True,
        help="Maximum number of fine-tuning epochs.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(2),
        default=DEFAULTS.batch_size,
        show_default=True,
        help="Images per batch, over all ranks.",
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
        help="Temperature of the contrastive loss.",
    ),
    click.option(
        "--negatives",
        type=click.Choice(NEGATIVES),
        default=DEFAULTS.negatives,
        show_default=True,
        help="SimCLR negatives: all other views, or only those of the other half of the "
        "pairs, as in the paper's code.",
    ),
    click.option(
        "--views",
        type=click.Choice(VIEWS),
        default=DEFAULTS.views,
        show_default=True,
        help="Augmentation: zoom (SimCLR), crop (NNCLR), or auto for the method's own "
        "(zoom without one).",
    ),
    click.option(
        "--queue-size",
        type=click.IntRange(1),
        default=DEFAULTS.queue_size,
        show_default=True,
        help="Number of embeddings in NNCLR's support set.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(1),
        default=DEFAULTS.patience,
        show_default=True,
        help="Stop fine-tuning after this many epochs without a lower validation loss.",
    ),
    click.option(
        "--autocast",
        type=click.Choice(AUTOCAST),
        default=DEFAULTS.autocast,
        show_default=True,
        help="Number format for training; auto measures and takes the fastest; fp16 needs a GPU.",
    ),
    click.option(
        "--compile",
        is_flag=True,
        help="Compile the networks with torch.compile; pays off only in long runs.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=DEFAULTS.seed,
        show_default=True,
        help="Random seed of the split, the weights and the training.",
    ),
    click.option(
        "--strict",
        is_flag=True,
        help="Stop on damaged files and differing image sizes instead "
        "of skipping or stretching them.",
    ),
    click.option(
        "--allow-leak",
        is_flag=True,
        help="Allow copies of held-out images in pretraining; every figure is then marked "
        "as leaking.",
    ),
)


def choice_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all of `OPTIONS`, in their order."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def with_geometry(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options in which `--tile` and `--geometry` have become fields of `TrainConfig`."""
    chosen = dict(options)
    tile, stride = chosen.pop("tile", None), chosen.pop("stride", None)
    if chosen.get("geometry") is None:
        chosen["geometry"] = TILES if tile is not None else DEFAULTS.geometry
    if chosen["geometry"] == STRETCH:
        return chosen
    return chosen | {"image_size": tile or DEFAULT_TILE, "stride": stride or ()}
