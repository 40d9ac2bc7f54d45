"""Recipes that are open: one that is ready to judge, and one that judges no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from runtime.stream.pipeline import Pipeline
from runtime.stream.recipes.judges import RecipeJudges
from runtime.stream.recipes.recipe import LineRecipe, RecipeMark


@dataclass
class OpenedRecipe:
    """A recipe that is ready to judge.

    Args:
        recipes: by the name of the camera.
        held: closes its sessions.
    """

    recipes: Mapping[str, LineRecipe]
    held: ExitStack = field(default_factory=ExitStack)

    @property
    def recipe(self) -> LineRecipe:
        """Return that of the first camera; mark and model are the same for all."""
        return next(iter(self.recipes.values()))

    @property
    def mark(self) -> RecipeMark:
        """Return the id and the digest."""
        return self.recipe.mark

    @property
    def model(self) -> str:
        """Return the path of the bundle."""
        return self.recipe.model


@dataclass
class RetiredRecipe:
    """Judges that were replaced two changes ago, and their recipe, unless it judges again."""

    judges: Sequence[tuple[Pipeline, RecipeJudges]]
    opened: OpenedRecipe | None

    def close(self) -> bool:
        """Close the recipe once no frame is in flight; whether it is closed."""
        idle = [pipeline.retire(judges) for pipeline, judges in self.judges]
        if not all(idle):
            return False
        if self.opened is not None:
            self.opened.held.close()
        return True
