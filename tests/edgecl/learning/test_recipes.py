"""Recipes fill in what the user leaves open."""

from __future__ import annotations

import pytest

from edgecl.cli.train.choices import chosen_fields, geometry_of
from edgecl.learning.config import TrainConfig
from edgecl.learning.recipes import RECIPES

OPEN = {
    "recipe": "line",
    "geometry": None,
    "tile": None,
    "stride": None,
    "image_size": None,
    "head": "paper",
    "lr": 5e-4,
    "batch_size": 32,
    "pretrain_batch_size": None,
}


def chosen(**given: object) -> TrainConfig:
    return TrainConfig(**chosen_fields({**OPEN, **given}, set(given)))


def test_every_field_of_a_recipe_is_a_choice():
    for recipe in RECIPES.values():
        TrainConfig(**recipe)


def test_the_line_recipe_lets_the_labelled_images_choose_the_geometry():
    config = chosen()
    assert config.geometry == "auto"
    assert config.head == "wide"
    assert config.lr == RECIPES["line"]["lr"]


def test_the_papers_recipe_stretches():
    config = chosen(recipe="paper")
    assert (config.geometry, config.head, config.image_size) == ("stretch", "paper", (128, 128))
    assert config.tiling is None


@pytest.mark.parametrize(
    ("given", "geometry", "size"),
    [
        ({"image_size": (64, 80)}, "stretch", (64, 80)),
        ({"tile": (64, 80)}, "tiles", (64, 80)),
        ({"recipe": "paper", "tile": (64, 80)}, "tiles", (64, 80)),
        ({"geometry": "stretch"}, "stretch", (128, 128)),
        ({"geometry": "tiles"}, "tiles", (96, 96)),
        ({"stride": (48, 48)}, "tiles", (96, 96)),
        ({"scale": 0.5}, "tiles", (96, 96)),
        ({"robust": True}, "auto", (96, 96)),
        ({"combine": "worst"}, "tiles", (96, 96)),
    ],
)
def test_a_size_says_what_is_meant_by_it(given, geometry, size):
    assert geometry_of({**OPEN, **given}) == geometry
    config = chosen(**given)
    assert (config.geometry, config.image_size) == (geometry, size)


def test_what_the_user_gives_goes_before_the_recipe():
    config = chosen(lr=0.1, head="paper", batch_size=16)
    assert (config.lr, config.head, config.batch_size) == (0.1, "paper", 16)
    assert config.pretraining_batch == 16
    assert chosen(pretrain_batch_size=48).pretraining_batch == 48
