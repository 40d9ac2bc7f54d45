"""Opening of a recipe's bundle for a program's own stream."""

from __future__ import annotations

from pathlib import Path

from runtime.artifact.bundle import Bundle, load_bundle
from runtime.novelty import novelty_beside
from runtime.session import open_session
from runtime.stream.pipeline import Settings
from runtime.stream.recipes.changer import OpenedRecipe
from runtime.stream.recipes.recipe import LineRecipe, RecipeMark


def opened_bundle(name: str, source: Bundle | Path | str, settings: Settings) -> OpenedRecipe:
    """Open a bundle as a recipe.

    Args:
        name: the recipe's id.
        source: a bundle, or its folder.
        settings: of the stream. Its rules and health limits hold for every recipe; frames are
            called unknown by the recipe's own bundle, if they are at all.

    Raises:
        InputError: it cannot be opened, or was changed.
    """
    bundle = source if isinstance(source, Bundle) else load_bundle(source)
    novelty = None if settings.novelty is None else novelty_beside(bundle)
    mark = RecipeMark(name, bundle.manifest.digest)
    session = open_session(bundle)
    recipe = LineRecipe(
        session, settings.rules, settings.health, novelty, mark, model=str(bundle.path)
    )
    opened = OpenedRecipe({"": recipe})
    opened.held.callback(session.close)
    return opened
