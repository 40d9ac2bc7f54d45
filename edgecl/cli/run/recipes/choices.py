"""Recipes of `edgecl run`: bundles by id, each with rules of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from runtime.errors import InputError

OWN_RULES = ("pass_labels", "unsure_below", "debounce", "unknown_above")
"""Parameters that a recipe may have a value of its own for."""

RECIPE_RULES = "edgecl.recipes"
"""Key in a context's `meta` of the recipes' own values in a configuration file, by id."""

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class RecipeChoice:
    """Choices about one recipe.

    Args:
        id: as it is asked for.
        model: its bundle.
        own: rules for which it has a value of its own, by parameter.
    """

    id: str
    model: Path
    own: Mapping[str, Any] = field(default_factory=dict)


def parse_recipe(text: str) -> tuple[str, str]:
    """Read `ID=BUNDLE`.

    Raises:
        InputError: it is not that.
    """
    name, equals, bundle = text.partition("=")
    if not equals or not bundle or ID.fullmatch(name) is None:
        raise InputError(
            f"{text!r} is not ID=BUNDLE",
            hint="for example: --recipe 7=bolt.edgecl; an id has up to 32 letters, digits, - and _",
        )
    return name, bundle


def recipe_choices(
    context: click.Context, texts: Sequence[str], begin_with: str | None
) -> tuple[RecipeChoice, ...]:
    """Return the recipes, the one that the stream begins with first.

    Args:
        context: of the command, which knows where the recipes were given.
        texts: ID=BUNDLE of each.
        begin_with: id of the first; None for the one that is named first.

    Raises:
        InputError: an id is given twice, or there is none to begin with.
    """
    from_file = context.get_parameter_source("recipe") is ParameterSource.DEFAULT_MAP
    own: Mapping[str, Mapping[str, Any]] = context.meta.get(RECIPE_RULES, {}) if from_file else {}
    found: dict[str, RecipeChoice] = {}
    for text in texts:
        name, bundle = parse_recipe(text)
        if name in found:
            raise InputError(f"recipe {name} is given twice", hint="give each id once")
        found[name] = RecipeChoice(id=name, model=Path(bundle), own=own.get(name, {}))
    if begin_with is not None and begin_with not in found:
        raise InputError(
            f"--begin-with {begin_with}: there is no such recipe",
            hint=f"the recipes are {', '.join(found)}",
        )
    first = begin_with or next(iter(found), "")
    return tuple(sorted(found.values(), key=lambda recipe: recipe.id != first))


def require_bundles(recipes: Sequence[RecipeChoice]) -> None:
    """Look for the recipes' bundles before the stream begins; each is verified when it is opened.

    Raises:
        InputError: one is not there.
    """
    from runtime.artifact.bundle import manifest_beside

    for recipe in recipes:
        if not recipe.model.is_dir() or manifest_beside(recipe.model) is None:
            raise InputError(
                f"recipe {recipe.id}: no bundle found at {recipe.model}",
                hint="make one with 'edgecl export', or correct its path",
            )
