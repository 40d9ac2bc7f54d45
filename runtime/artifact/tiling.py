"""Tiling: how an image is cut at its own scale, as the contract states it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.errors import InputError

MEAN, WORST = "mean", "worst"
COMBINATIONS = (MEAN, WORST)
STRETCH, TILES = "stretch", "tiles"
GEOMETRIES = (STRETCH, TILES)
LARGEST_SCALE = 8.0


@dataclass(frozen=True)
class Tiling:
    """Cut of an image into tiles, and the combination of their answers.

    Args:
        tile: (height, width) of a tile in pixels; the network's input.
        stride: largest step from one tile to the next, (vertical, horizontal) in pixels; None for
            the tile's own size, so that tiles touch or overlap as little as an image allows.
        scale: factor by which every image is resized before it is cut; 1 leaves it as it is.
        combine: `mean` of the tiles' probabilities, or those of the `worst` tile.
        sharpness: exponent of the combined probabilities, which then add up to 1 again: above 1
            they become surer, and the label stays the same.

    Raises:
        InputError: a tile, step, scale or sharpness that is not positive, a step beyond the tile,
            or another combination.
    """

    tile: tuple[int, int]
    stride: tuple[int, int] | None = None
    scale: float = 1.0
    combine: str = MEAN
    sharpness: float = 1.0

    def __post_init__(self) -> None:
        # Said or not, it is the same cut: what is read back equals what was written.
        object.__setattr__(self, "stride", self.stride or self.tile)
        if min(self.tile) < 1:
            raise InputError(
                f"a tile of {self.tile[0]}x{self.tile[1]} pixels is empty",
                hint="use HEIGHTxWIDTH in pixels, for example --tile 96x96",
            )
        steps = self.steps
        if min(steps) < 1 or steps[0] > self.tile[0] or steps[1] > self.tile[1]:
            raise InputError(
                f"a stride of {steps[0]}x{steps[1]} pixels does not suit tiles of "
                f"{self.tile[0]}x{self.tile[1]}: pixels between them would be seen by none",
                hint="use a --stride from 1x1 to the size of --tile",
            )
        if not math.isfinite(self.scale) or not 0 < self.scale <= LARGEST_SCALE:
            raise InputError(
                f"a scale of {self.scale:g} is not above 0 and at most {LARGEST_SCALE:g}",
                hint="use --scale 1 for images as they are, 0.5 for half their size",
            )
        if not math.isfinite(self.sharpness) or self.sharpness <= 0:
            raise InputError(
                f"a sharpness of {self.sharpness:g} is not above 0",
                hint="export the model again with 'edgecl export'",
            )
        if self.combine not in COMBINATIONS:
            raise InputError(
                f"combination {self.combine!r} is not one of {', '.join(COMBINATIONS)}",
                hint="use one of them",
            )

    @property
    def steps(self) -> tuple[int, int]:
        """The stride, (vertical, horizontal) in pixels."""
        return self.stride or self.tile

    def describe(self) -> str:
        """Describe the cut on one line, in the words of the options, heights first."""
        return (
            f"tiles {self.tile[0]}x{self.tile[1]}, stride {self.steps[0]}x{self.steps[1]}, "
            f"scale {self.scale:g}, combine {self.combine}"
        )
