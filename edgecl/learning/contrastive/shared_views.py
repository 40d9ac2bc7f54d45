"""Views of one rank's rows, out of those that a lone process would draw for the whole batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgecl.learning.compute.ranks import Share
from edgecl.learning.contrastive.augmentation import Recipe
from edgecl.learning.contrastive.tile_views import TileViews
from edgecl.learning.contrastive.warps import Views


def recipe_of(share: Share, recipe: Recipe) -> Recipe:
    """Return a recipe that draws for the whole batch, as a lone process does, and keeps the share.

    Args:
        share: this rank's rows.
        recipe: of the whole batch.
    """
    return recipe if share.ranks.size == 1 else _SharedRecipe(recipe, share)


@dataclass(frozen=True)
class _SharedRecipe:
    recipe: Recipe
    share: Share

    def sample(
        self, count: int, image_size: tuple[int, int], rng: np.random.Generator
    ) -> Views | TileViews:
        views = self.recipe.sample(self.share.count, image_size, rng)
        rows = self.share.rows
        assert count == rows.stop - rows.start
        return views.take(rows)
