"""Commands to a running stream of `edgecl run`, from wherever they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.errors import EdgeclError, InputError

if TYPE_CHECKING:
    from edgecl.cli.run.cameras import CameraChoice
    from edgecl.cli.run.choices import RunChoices
    from edgecl.cli.run.recipes.opening import LineRecipes
    from edgecl.cli.run.recipes.renewing import RecipeRenewal
    from runtime.camera import Camera
    from runtime.progress import Say
    from runtime.session import Session
    from runtime.stream.checking.report import CheckReport
    from runtime.stream.pipeline import Pipeline
    from runtime.stream.recipes.changer import RecipeChanger
    from runtime.stream.recipes.outcome import RecipeOutcome, RecipeState
    from runtime.stream.sinks import Sink

Beside = Callable[[Mapping[str, "Pipeline"]], AbstractContextManager[object]]
"""Context beside streams, from before they begin until after they ended."""


@contextmanager
def nothing_beside(pipelines: Mapping[str, Pipeline]) -> Iterator[None]:
    """Let streams run without anything beside them."""
    yield


class LineCommands:
    """Requests to a running stream: from the control socket, a controller, a page.

    All methods may be called from any thread, and delay no verdict.

    Args:
        changer: of its recipes; None where it has none.
        checking: checks the line.
    """

    def __init__(self, changer: RecipeChanger | None, checking: Callable[[], CheckReport]) -> None:
        self._changer = changer
        self._checking = checking

    def change_recipe(self, recipe: str | int) -> RecipeOutcome:
        """Judge by another recipe from the next frame on.

        Args:
            recipe: its id.

        Returns:
            Whether it judges, or with which code it was refused.

        Raises:
            InputError: the stream has no recipes.
        """
        return self._recipes().change(str(recipe))

    def require_recipe(self, recipe: int) -> None:
        """Change the recipe as a controller asks for it, by a number.

        Raises:
            InputError: it was refused, with its code.
        """
        outcome = self.change_recipe(recipe)
        if not outcome.ok:
            raise InputError(outcome.message, hint=outcome.hint, code=outcome.code)

    def change_back(self) -> RecipeOutcome:
        """Judge by the recipe before.

        Raises:
            InputError: the stream has no recipes.
        """
        return self._recipes().back()

    def recipe_state(self) -> RecipeState:
        """Return which recipe judges, and which could.

        Raises:
            InputError: the stream has no recipes.
        """
        return self._recipes().state()

    def check(self) -> CheckReport:
        """Check the line beside its stream, as `--check-parts` and `--check-reference` say.

        Returns:
            The report, which the stream's archive keeps.

        Raises:
            InputError: the bundle cannot be opened, or a check is under way already.
        """
        return self._checking()

    def handlers(self) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
        """Return the commands of the control socket by name."""
        return {
            "recipe": lambda given: self.change_recipe(_text(given, "recipe")),
            "back": lambda given: self.change_back(),
            "recipes": lambda given: self.recipe_state(),
            "check": lambda given: self.check(),
        }

    def _recipes(self) -> RecipeChanger:
        if self._changer is None:
            raise InputError(
                "the stream has no recipes",
                hint="start it with --recipe ID=BUNDLE for each",
                code="recipe-unknown",
            )
        return self._changer


def commanding(
    choices: RunChoices,
    context: click.Context,
    folder: Path,
    cameras: Mapping[str, tuple[CameraChoice, Camera]],
    session: Session,
    sinks: Sequence[Sink],
    say: Say,
    take_renewal: Callable[[RecipeRenewal], None],
) -> Beside:
    """Return what takes commands while the streams run.

    Args:
        folder: of the stream, which gets the control socket.
        cameras: with their choices, by name; the only one's name is empty.
        session: that judges first.
        sinks: may keep the checks, and ask things of the line.
        say: is told of each change, and whether there is a socket.
        take_renewal: is handed what takes the recipes of a configuration that is read again.
    """

    @contextmanager
    def beside(pipelines: Mapping[str, Pipeline]) -> Iterator[LineCommands]:
        from edgecl.cli.run.recipes.checking import StreamChecks
        from edgecl.cli.run.recipes.controls import controls_of
        from edgecl.cli.run.recipes.opening import LineRecipes
        from edgecl.cli.run.recipes.renewing import RecipeRenewal
        from runtime.stream.control.socket import ControlServer

        with ExitStack() as stack:
            changer = None
            recipes = LineRecipes(choices, context, cameras, session, say)
            if choices.recipes:
                changer = _changer(choices, recipes, pipelines, say)
                stack.callback(changer.close)
            checking = StreamChecks(choices, recipes, pipelines, sinks, say)
            commands = LineCommands(changer, checking.check)
            for sink in sinks if choices.recipes else ():
                sink.offer_recipes(commands.require_recipe)

            def offer(ids: Sequence[str]) -> None:
                seen = {name: camera for name, (_, camera) in cameras.items()}
                for sink in sinks:
                    sink.attach(controls_of(seen, pipelines, ids, commands))

            offer([recipe.id for recipe in choices.recipes])
            if changer is not None:
                take_renewal(RecipeRenewal(changer, recipes, offer))
            try:
                stack.callback(ControlServer(folder, commands.handlers()).close)
            except (OSError, EdgeclError) as error:
                # No reason to judge nothing.
                say(f"note: the stream takes no commands from a socket in {folder}: {error}")
            yield commands

    return beside


def _changer(
    choices: RunChoices, recipes: LineRecipes, pipelines: Mapping[str, Pipeline], say: Say
) -> RecipeChanger:
    from runtime.artifact.bundle import scene_beside
    from runtime.stream.recipes.changer import RecipeChanger
    from runtime.stream.recipes.opened import OpenedRecipe

    model = choices.model
    assert model is not None
    first = {
        name: replace(pipeline.judges.recipe, model=str(model), scene=scene_beside(model))
        for name, pipeline in pipelines.items()
    }
    return RecipeChanger(
        pipelines,
        recipes.open,
        [recipe.id for recipe in choices.recipes],
        OpenedRecipe(first),
        say,
    )


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise InputError(f"the command has no {name}", hint=f'send "{name}": "7" with it')
    return str(value)
