"""Questions that sinks may ask of a line of `edgecl run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runtime.stream.sinks import LineControls

if TYPE_CHECKING:
    from edgecl.cli.run.recipes.commands import LineCommands
    from runtime.camera import Camera
    from runtime.stream.pipeline import Pipeline
    from runtime.stream.rules import Rules


def controls_of(
    cameras: Mapping[str, Camera],
    pipelines: Mapping[str, Pipeline],
    recipes: Sequence[str],
    commands: LineCommands,
) -> LineControls:
    """Return what sinks may ask of a line.

    Args:
        cameras: by name; the only one's is empty.
        pipelines: their streams, likewise.
        recipes: ids, none where the stream has none.
        commands: changes the recipe.
    """

    def fault() -> str:
        away = [name or camera.name for name, camera in cameras.items() if camera.away]
        return f"camera lost: {', '.join(away)}" if away else ""

    def rules(recipe: str) -> Rules | None:
        found = (pipeline.rules_of(recipe) for pipeline in pipelines.values())
        return next((rules for rules in found if rules is not None), None)

    return LineControls(fault, recipes, commands.change_recipe if recipes else None, rules)
