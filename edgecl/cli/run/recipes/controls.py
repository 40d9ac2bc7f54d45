"""Questions that sinks may ask of a line of `edgecl run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runtime.stream.sinks import LineControls

if TYPE_CHECKING:
    from edgecl.cli.run.recipes.commands import LineCommands
    from runtime.camera import Camera


def controls_of(
    cameras: Mapping[str, Camera], recipes: Sequence[str], commands: LineCommands
) -> LineControls:
    """Return what sinks may ask of a line.

    Args:
        cameras: by name; the only one's is empty.
        recipes: ids, none where the stream has none.
        commands: changes the recipe.
    """

    def fault() -> str:
        away = [name or camera.name for name, camera in cameras.items() if camera.away]
        return f"camera lost: {', '.join(away)}" if away else ""

    return LineControls(fault, recipes, commands.change_recipe if recipes else None)
