"""Recipes of a running stream of `edgecl run`, as a configuration that was read again has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from edgecl.cli.run.recipes.checking import require_checks
from edgecl.cli.run.recipes.choices import RecipeChoice, require_bundles
from runtime.errors import InputError

if TYPE_CHECKING:
    from edgecl.cli.run.choices import RunChoices
    from edgecl.cli.run.recipes.opening import LineRecipes
    from runtime.stream.recipes.changer import RecipeChanger
    from runtime.stream.recipes.opened import OpenedRecipe
    from runtime.stream.recipes.recipe import LineRecipe


@dataclass(frozen=True)
class RecipeRenewal:
    """Lets a running stream take the recipes of other choices.

    Args:
        changer: of its recipes.
        recipes: opens them.
        offer: tells sinks which ids may be asked for.
    """

    changer: RecipeChanger
    recipes: LineRecipes
    offer: Callable[[Sequence[str]], None]

    def change(self, choices: RunChoices, context: click.Context) -> None:
        """Take recipes and rules, all of them or none.

        The recipe that judges keeps its sessions, unless its bundle is another one now.

        Args:
            choices: of the configuration that was read again.
            context: which knows where its values stand.

        Raises:
            InputError: a bundle is not there or has not the labels that a rule names, the recipe
                that judges is gone or does not fit, or another one is being opened.
        """
        require_bundles(choices.recipes)
        require_labels_of(choices, context)
        require_checks(choices, context)
        named = {recipe.id: recipe for recipe in choices.recipes}
        cameras = {camera.name: camera for camera in choices.cameras}

        def amend(opened: OpenedRecipe) -> Mapping[str, LineRecipe] | None:
            wanted = named.get(opened.mark.id)
            if wanted is None or str(wanted.model) != opened.model:
                return None
            chosen = choices.with_recipe(wanted)
            chosen.require_labels(opened.recipe.session.contract.labels, context)
            rules = chosen.rules(context)
            return {
                name: replace(
                    recipe,
                    rules=replace(rules, bits=recipe.rules.bits),
                    health=chosen.health_of(cameras[name], recipe.scene, context),
                )
                for name, recipe in opened.recipes.items()
            }

        self.changer.renew(list(named), self.recipes.renewed(choices, context).open, amend)
        self.offer(list(named))


def require_labels_of(choices: RunChoices, context: click.Context) -> None:
    """Refuse recipes whose rules name labels that their bundles have not.

    Raises:
        InputError: as for a configuration that belongs to other bundles.
    """
    from runtime.artifact.bundle import manifest_beside

    for recipe in choices.recipes:
        manifest = manifest_beside(recipe.model)
        if manifest is not None:
            try:
                choices.with_recipe(recipe).require_labels(manifest.contract.labels, context)
            except InputError as error:
                raise InputError(
                    f"recipe {recipe.id}: {error.problem}", hint=error.hint, code=error.code
                ) from error


def changed_recipes(
    old: Sequence[RecipeChoice], new: Sequence[RecipeChoice]
) -> tuple[list[str], list[str]]:
    """Return the recipes that changed, as a configuration names them, and what came and went.

    Returns:
        Keys of those that are in both and differ; a phrase for each that is in one alone.
    """
    before = {recipe.id: recipe for recipe in old}
    after = {recipe.id: recipe for recipe in new}
    both = [name for name in before if name in after]
    changed = [f"recipes.{name}" for name in both if before[name] != after[name]]
    gone = [f"recipes.{name} is gone" for name in before if name not in after]
    return changed, gone + [f"recipes.{name} is new" for name in after if name not in before]
