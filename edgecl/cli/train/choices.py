"""The options of `edgecl train` that are a run's choices, one per field of `TrainConfig`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from edgecl.cli.options import option_group
from edgecl.cli.train.options import DEFAULTS
from edgecl.cli.train.options.sources import SOURCES
from edgecl.cli.train.options.stages import STAGES
from edgecl.cli.train.options.view import VIEW
from edgecl.learning.recipes import RECIPES
from runtime.artifact.tiling import STRETCH, TILES

OPTIONS = (*SOURCES, *VIEW, *STAGES)


_OF_TILES = ("tile", "stride", "scale", "combine", "turns")
"""Options that only tiles have: to give one asks for them."""


choice_options = option_group(*OPTIONS)
"""Decorator with all of `OPTIONS`, in their order."""


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
