"""The tables `[recipes.ID]` of a configuration: bundles by id, each with rules of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecl.cli.run.config.camera_tables import Fail
from edgecl.cli.run.config.keys import KEYS, KeyPath
from edgecl.cli.run.recipes.choices import ID, OWN_RULES, RecipeChoice

RECIPES = "recipes"
MODEL_KEY = "model"

RULE_KEYS: Mapping[str, str] = {KEYS[name][1]: name for name in OWN_RULES}
"""The parameters that a recipe may have of its own, by key."""


@dataclass
class RecipeTables:
    """The recipes of a file.

    Args:
        texts: ID=BUNDLE of each, as `--recipe` takes them.
        own: the rules that a recipe has itself, by its id and then by parameter.
    """

    texts: list[str] = field(default_factory=list)
    own: dict[str, dict[str, Any]] = field(default_factory=dict)


def read_recipes(
    content: Any, value_of: Callable[[str, KeyPath, Any], Any], fail: Fail
) -> RecipeTables:
    """Read and check the tables.

    Args:
        content: what TOML has under `recipes`.
        value_of: checks a value: by parameter, place and value.
        fail: raises the error about a key.

    Raises:
        InputError: no tables, or one that is no recipe.
    """
    example = 'write [recipes.7] with model = "bolt.edgecl"'
    if not isinstance(content, dict) or not content:
        fail((RECIPES,), "has no tables of recipes", example)
    found = RecipeTables()
    for name, table in content.items():
        place = (RECIPES, name)
        if ID.fullmatch(name) is None:
            fail(
                place,
                f"{name!r} is not an id of a recipe",
                "use up to 32 letters, digits, - and _",
            )
        if isinstance(table, str):
            named = json.dumps(table, ensure_ascii=False)
            fail(place, "is a text, not a table", f"write [recipes.{name}] with model = {named}")
        if not isinstance(table, dict) or MODEL_KEY not in table:
            fail(place, "has no model", f'write [recipes.{name}] with model = "bolt.edgecl"')
        found.own[name] = {}
        for key, value in table.items():
            if key == MODEL_KEY:
                found.texts.append(f"{name}={value_of('model', (*place, key), value)}")
            elif key in RULE_KEYS:
                found.own[name][RULE_KEYS[key]] = value_of(RULE_KEYS[key], (*place, key), value)
            else:
                known = ", ".join((MODEL_KEY, *RULE_KEYS))
                fail((*place, key), "is not a key of a recipe", f"the keys are {known}")
    return found


def recipe_tables(
    recipes: Sequence[RecipeChoice], toml: Callable[[str, Any], str | None]
) -> Iterator[str]:
    """Yield the lines of the tables.

    Args:
        toml: returns a parameter's value as TOML; None where it is not set.
    """
    for recipe in recipes:
        yield f"\n[{RECIPES}.{recipe.id}]"
        yield f"{MODEL_KEY} = {json.dumps(str(Path(recipe.model).absolute()), ensure_ascii=False)}"
        for key, name in RULE_KEYS.items():
            if name in recipe.own:
                yield f"{key} = {toml(name, recipe.own[name])}"
