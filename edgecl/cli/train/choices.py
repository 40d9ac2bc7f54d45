"""The options of `edgecl train` that are a run's choices, one per field of `TrainConfig`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import click

from edgecl.cli.options import FOLDER, ImageSize, Region
from edgecl.learning.config import (
    AUTO,
    AUTOCAST,
    BALANCE,
    ENCODER_NAMES,
    HEADS,
    METHODS,
    NEGATIVES,
    PRETRAIN_ON,
    VIEWS,
    TrainConfig,
)
from edgecl.learning.recipes import LINE, RECIPES
from runtime.artifact.contract import BITS, INTERPOLATIONS
from runtime.artifact.tiling import COMBINATIONS, GEOMETRIES, LARGEST_SCALE, STRETCH, TILES

DEFAULTS = TrainConfig()

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
    click.option(
        "--image-size",
        type=ImageSize(),
        help="Size that images are resized to, with --geometry stretch.  "
        f"[default: {'x'.join(map(str, DEFAULTS.image_size))}]",
    ),
    click.option(
        "--geometry",
        type=click.Choice([AUTO, *GEOMETRIES]),
        help="stretch resizes every image to --image-size; tiles cuts it at its own scale, and "
        "the tiles answer together; auto trains a network briefly on each and takes what answers "
        "better out of fold.  [default: as the options of one imply, else the recipe's: auto with "
        "line]",
    ),
    click.option(
        "--tile",
        type=ImageSize(),
        help=f"Size of the tiles.  [default: {'x'.join(map(str, RECIPES[LINE]['image_size']))}]",
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
        help="Also train on tiles as a drifting camera would take them: out of focus, noisy, "
        "compressed, darker, askew.",
    ),
    click.option(
        "--turns",
        is_flag=True,
        help="Also train on tiles turned by 90°: for parts that lie any way round.",
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
        "--roi",
        type=Region(),
        metavar="LEFT,TOP,WIDTH,HEIGHT",
        help="Region of interest in pixels: every image is cut to it before anything else, and "
        "every frame on the line.  [default: whole images]",
    ),
    click.option(
        "--flat",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Flat-field of the camera, as 'edgecl camera --record-flat' records it: every image "
        "is corrected with it before it is cut, and every frame on the line.  [default: images as "
        "they are]",
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
        "--pretrain-batch-size",
        type=click.IntRange(2),
        help="Images per batch of pretraining, over all ranks.  [default: the recipe's, or that "
        "of --batch-size]",
    ),
    click.option(
        "--head",
        type=click.Choice(HEADS),
        default=DEFAULTS.head,
        help="Projection head of pretraining: that of the paper, or wide, with batch norm.  "
        "[default: the recipe's]",
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
        help="Learning rate of fine-tuning.  [default: the recipe's]",
    ),
    click.option(
        "--temperature",
        type=click.FloatRange(0, min_open=True),
        default=DEFAULTS.temperature,
        help="Temperature of the contrastive loss.  [default: the recipe's]",
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
        "--layer-decay",
        type=click.FloatRange(0, 1, min_open=True),
        default=DEFAULTS.layer_decay,
        show_default=True,
        help="Factor on the learning rate of fine-tuning from each part of the encoder to the "
        "one before it; below 1 keeps more of pretraining.",
    ),
    click.option(
        "--balance",
        type=click.Choice(BALANCE),
        default=DEFAULTS.balance,
        show_default=True,
        help="Show all classes equally often in fine-tuning; auto does where the largest has more "
        "than three times the images of the smallest.",
    ),
    click.option("--freeze", is_flag=True, help="Fine-tune the head alone."),
    click.option(
        "--choose-tuning",
        is_flag=True,
        help="Choose by cross-validation on the labelled images between fine-tuning all layers "
        "alike, a layer decay of 0.5, and the head alone.",
    ),
    click.option(
        "--self-train",
        is_flag=True,
        help="Let the best of several teachers label the unlabelled images, and learn from them.",
    ),
    click.option(
        "--student-epochs",
        type=click.IntRange(1),
        default=DEFAULTS.student_epochs,
        show_default=True,
        help="Maximum number of epochs on the teacher's labels.",
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


_OF_TILES = ("tile", "stride", "scale", "combine", "robust", "turns")
"""Options that only tiles have: to give one asks for them."""


def choice_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all of `OPTIONS`, in their order."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def chosen_fields(options: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
    """Return the fields of `TrainConfig` that options mean: the recipe's, and over it the user's.

    Args:
        options: values by name.
        given: names of those on the command line.
    """
    chosen = {name: value for name, value in options.items() if value is not None}
    tile, stride = chosen.pop("tile", None), chosen.pop("stride", None)
    recipe = dict(RECIPES[chosen.pop("recipe")])
    geometry = geometry_of(options)
    if geometry == STRETCH or tile is not None:
        recipe.pop("image_size", None)
    if "batch_size" in given:  # of both stages, unless pretraining has its own
        recipe.pop("pretrain_batch_size", None)
    own = {name: value for name, value in chosen.items() if name in given or name not in recipe}
    chosen = recipe | own | {"geometry": geometry}
    if tile is not None:
        chosen["image_size"] = tile
    return chosen | {"stride": stride or ()}


def geometry_of(options: Mapping[str, Any]) -> str:
    """Return the geometry: as asked for, as a given size implies, or the recipe's."""
    if options["geometry"] is not None:
        return str(options["geometry"])
    if any(options.get(name) not in (None, getattr(DEFAULTS, name, None)) for name in _OF_TILES):
        return TILES
    if options["image_size"] is not None:
        return STRETCH
    return str(RECIPES[options["recipe"]]["geometry"])
