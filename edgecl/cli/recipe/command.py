"""`edgecl recipe`: show or change the recipe of a running stream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.results import print_json
from edgecl.cli.running_stream import STREAM_OPTION, running_stream
from edgecl.cli.verb import Verb
from runtime.counting import counted

if TYPE_CHECKING:
    from runtime.stream.recipes.outcome import RecipeState


@click.command("recipe", cls=Verb, short_help="Show or change the recipe of a running stream.")
@click.argument("recipe", required=False, metavar="[ID]")
@click.option("--back", is_flag=True, help="Go back to the recipe before, which is open still.")
@STREAM_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print the stream's answer as JSON.")
def command(recipe: str | None, back: bool, stream: Path | None, as_json: bool) -> None:
    """Let a running stream judge by recipe ID from its next frame on.

    Without ID, show which recipe judges and which could. The bundle is opened beside the stream; if
    it cannot be, the recipe that judges goes on, and the command ends with 2.
    """
    import msgspec

    from runtime.errors import InputError
    from runtime.stream.control.socket import ask
    from runtime.stream.recipes.outcome import RecipeOutcome, RecipeState

    if recipe is not None and back:
        raise InputError("--back has no effect beside a recipe", hint="leave out one of the two")
    folder = running_stream(stream)
    if recipe is None and not back:
        answer = ask(folder, "recipes")
        if as_json:
            print_json(answer)
        else:
            _show(msgspec.convert(answer, RecipeState))
        return
    answer = ask(folder, "back") if back else ask(folder, "recipe", recipe=recipe)
    outcome = msgspec.convert(answer, RecipeOutcome)
    if not outcome.ok:
        told = f"recipe {outcome.recipe} goes on: {outcome.message}"
        raise InputError(told, hint=outcome.hint, code=outcome.code)
    if as_json:
        print_json(answer)
    else:
        click.echo(
            f"recipe {outcome.recipe} judges now (digest {outcome.digest[:12]}), "
            f"after {outcome.seconds:.1f} s"
        )


def _show(state: RecipeState) -> None:
    click.echo(f"recipe {state.recipe} judges: {state.model} (digest {state.digest[:12]})")
    if state.changing:
        click.echo(f"recipe {state.changing} is being opened")
    if state.previous:
        click.echo(f"--back leads to recipe {state.previous}")
    click.echo(
        f"recipes: {', '.join(state.recipes)}; {counted(state.changes, 'change')}, "
        f"{state.refused} refused"
    )
