"""Options of `edgecl train` on how images are looked at: their geometry, and the camera's own."""

from __future__ import annotations

from pathlib import Path

import click

from edgecl.cli.options import ImageSize, Region
from edgecl.cli.train.options import DEFAULTS
from edgecl.learning.config import (
    AUTO,
)
from edgecl.learning.recipes import LINE, RECIPES
from runtime.artifact.contract import BITS, INTERPOLATIONS
from runtime.artifact.tiling import COMBINATIONS, GEOMETRIES, LARGEST_SCALE

VIEW = (
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
        help="Also train on views as a drifting camera would take them: out of focus, noisy, "
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
)
