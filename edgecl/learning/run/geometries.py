"""Geometries that a set of images may be looked at in: tiles at their own scale, or whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edgecl.learning.config import TrainConfig
from edgecl.learning.recipes import LINE, RECIPES
from runtime.artifact.tiling import STRETCH, TILES

COARSE, FINE = 128 * 128, 128 * 384
"""Pixels of a whole image, at most: where geometries are compared, and where one is trained."""

ROUND, SMALLEST = 16, 32
"""Sides are multiples of this, and at least that, in pixels."""


@dataclass(frozen=True)
class Geometry:
    """A way to look at images.

    Args:
        kind: `stretch` or `tiles`.
        size: (height, width) of the network's input in pixels.
        compared_at: likewise where geometries are compared: small images tell as well.
    """

    kind: str
    size: tuple[int, int]
    compared_at: tuple[int, int]

    @property
    def name(self) -> str:
        """Name for people."""
        height, width = self.size
        what = "tiles of" if self.kind == TILES else "whole images at"
        return f"{what} {height}x{width}"

    def chosen(self, config: TrainConfig, *, to_compare: bool = False) -> TrainConfig:
        """Return choices with this geometry."""
        size = self.compared_at if to_compare else self.size
        return replace(config, geometry=self.kind, image_size=size, scale=1.0, stride=())


OWN_SCALE = Geometry(TILES, RECIPES[LINE]["image_size"], RECIPES[LINE]["image_size"])
"""Tiles at the images' own scale."""


def whole_image_size(shape: tuple[int, int], pixels: int) -> tuple[int, int]:
    """Return a (height, width) of about `pixels` with the proportions of an image, never larger.

    Args:
        shape: (height, width) of the image.
    """
    scale = min(1.0, math.sqrt(pixels / (shape[0] * shape[1])))
    height, width = (max(SMALLEST, round(scale * side / ROUND) * ROUND) for side in shape)
    return height, width


def possible_geometries(shape: tuple[int, int]) -> list[Geometry]:
    """Return what may suit images of one size.

    Tiles suit textures that fill the image; where a defect is a part of its image, most tiles carry
    its label without it, and whole images suit better.

    Args:
        shape: (height, width) in pixels of most of the images.
    """
    whole = Geometry(STRETCH, whole_image_size(shape, FINE), whole_image_size(shape, COARSE))
    if shape[0] < OWN_SCALE.size[0] or shape[1] < OWN_SCALE.size[1]:
        return [whole]
    return [OWN_SCALE, whole]


def taken(config: TrainConfig, choices: TrainConfig) -> TrainConfig:
    """Return choices with the geometry of others."""
    return replace(
        config,
        geometry=choices.geometry,
        image_size=choices.image_size,
        scale=choices.scale,
        stride=choices.stride,
    )
