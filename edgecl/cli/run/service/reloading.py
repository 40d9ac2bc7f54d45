"""Reading of `--config` again while a stream runs: what may change, and what needs a restart."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import click

from edgecl.cli.run.cameras import OWN_VALUES, camera_choices
from edgecl.cli.run.choices import RunChoices
from edgecl.cli.run.config.keys import KEYS
from edgecl.cli.run.recipes.choices import RECIPE_RULES, recipe_choices
from edgecl.cli.run.recipes.renewing import changed_recipes
from edgecl.cli.verb import ARGUMENTS, PLACES, Verb
from runtime.errors import EdgeclError
from runtime.progress import Say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecl.cli.run.recipes.renewing import RecipeRenewal
    from edgecl.cli.run.stream import InspectionStream
    from runtime.artifact.scene import SceneRecord
    from runtime.stream.pipeline import Pipeline

LOG = logging.getLogger("edgecl.service")

RELOADABLE = (
    "budget",
    "on_late",
    "pass_labels",
    "unsure_below",
    "debounce",
    "unknown_above",
    "health_limits",
)
"""Parameters that may change while a stream runs."""

RECIPES = ("recipe", "recipes", "begin_with")
"""Parameters that may change, too, where a stream has recipes and keeps some."""


@dataclass
class Reloading:
    """Reads the configuration of streams again, and changes all that may change, or nothing.

    Args:
        context: of the command.
        choices: that hold now.
        scene: what the model was trained on, where the bundle tells.
        streams: by the camera's name; empty for the only one.
        remark: is told what changed, or why nothing did; kept for the summary.
        keep: writes the configuration beside the verdicts.
        renewal: takes other recipes, where the stream has some.
    """

    context: click.Context
    choices: RunChoices
    scene: SceneRecord | None
    remark: Say
    streams: Mapping[str, InspectionStream] = field(default_factory=dict)
    keep: Callable[[RunChoices], None] = lambda choices: None
    renewal: RecipeRenewal | None = None

    def take_renewal(self, renewal: RecipeRenewal) -> None:
        """Learn what takes other recipes."""
        self.renewal = renewal

    def reload(self, pipelines: Mapping[str, Pipeline]) -> None:
        """Read it again and judge by it; the old one goes on where it cannot be used."""
        try:
            with _own_meta(self.context):
                changed = self._change(pipelines)
        except (EdgeclError, click.ClickException) as error:
            told = error.format_message() if isinstance(error, click.ClickException) else str(error)
            self.remark(f"note: the configuration was not changed: {told}")
            return
        except Exception as error:  # whatever a bundle raises, the stream goes on
            LOG.exception("the configuration")
            told = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            self.remark(f"note: the configuration was not changed: {told}")
            return
        self.remark(
            f"note: the configuration was read again: {', '.join(changed)}"
            if changed
            else "note: the configuration was read again; nothing in it has changed"
        )

    def _change(self, pipelines: Mapping[str, Pipeline]) -> list[str]:
        """Take what changed; return it in phrases."""
        from runtime.stream.budget import ACT, TOTAL

        context, choices = self._read()
        changed = [
            entry.name
            for entry in fields(RunChoices)
            if getattr(choices, entry.name) != getattr(self.choices, entry.name)
        ]
        rules, before = choices.rules(context), self.choices.rules(context)
        total = rules.budget.total != before.budget.total
        appears = any(
            (step in rules.budget.limits) != (step in before.budget.limits) for step in (TOTAL, ACT)
        )
        may = (*RELOADABLE, "source", *(RECIPES if self.renewal and choices.recipes else ()))
        fixed = [name for name in changed if name not in may]
        if appears or (total and choices.part_of is not None):
            fixed.append("budget")
        if fixed:
            keys = ", ".join(dict.fromkeys(_key(name) for name in fixed))
            raise EdgeclError(
                f"{keys} cannot change while the stream runs", hint="restart the service for that"
            )
        if self.renewal is not None:
            self.renewal.change(choices, context)
            self._keep_settings(pipelines)
        else:
            self._judge_by(choices, context, pipelines)
        recipes, come_and_gone = changed_recipes(self.choices.recipes, choices.recipes)
        told = [*(_key(name) for name in changed if name not in RECIPES), *recipes]
        told += ["model.begin-with"] if "begin_with" in changed else []
        self.choices = choices
        if changed:
            self.keep(choices)
        return ([f"{', '.join(told)} changed"] if told else []) + come_and_gone

    def _judge_by(
        self, choices: RunChoices, context: click.Context, pipelines: Mapping[str, Pipeline]
    ) -> None:
        """Judge by other rules, at the one model that there is."""
        rules, healths = choices.rules(context), {}
        for chosen in choices.cameras:
            healths[chosen.name] = choices.health_of(chosen, self.scene, context)
        for stream in self.streams.values():
            choices.require_labels(stream.session.contract.labels, context)
        for stream in self.streams.values():
            if stream.shadow is not None:
                stream.shadow.change(rules)
        for name, pipeline in pipelines.items():
            stream = self.streams[name]
            new = replace(rules, bits=stream.settings.rules.bits)
            pipeline.change(new, healths[name])
            stream.settings = replace(stream.settings, rules=new, health=healths[name])

    def _keep_settings(self, pipelines: Mapping[str, Pipeline]) -> None:
        """Let the summary have the rules of the recipe that it tells of, that of the start."""
        for name, pipeline in pipelines.items():
            stream, recipe = self.streams[name], pipeline.judges.recipe
            if recipe.session is stream.session:
                stream.settings = recipe.settled(stream.settings)

    def _read(self) -> tuple[click.Context, RunChoices]:
        command, old = self.context.command, self.context
        assert isinstance(command, Verb)
        arguments = list(old.meta[ARGUMENTS])
        context = command.make_context(old.info_name, arguments, parent=old.parent)
        command.check(context)
        values: dict[str, Any] = dict(context.params)
        values.pop("print_config", None)
        values["cameras"] = camera_choices(context, values)
        values["recipes"] = recipe_choices(context, values["recipe"], values["begin_with"])
        return context, RunChoices(**values)


def _key(name: str) -> str:
    """The key of a parameter; of `cameras`, which is made of several, its table."""
    return ".".join(KEYS[name]) if name in KEYS else name.replace("_", "-")


@contextmanager
def _own_meta(context: click.Context) -> Iterator[None]:
    """Keep what the context knows of the configuration, where the new one is refused."""
    kept = {
        name: context.meta[name]
        for name in (PLACES, OWN_VALUES, RECIPE_RULES)
        if name in context.meta
    }
    try:
        yield
    except BaseException:
        context.meta.update(kept)
        raise
