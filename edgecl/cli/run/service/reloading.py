"""Reading of `--config` again while a stream runs: what may change, and what needs a restart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import click

from edgecl.cli.run.cameras import OWN_VALUES, camera_choices
from edgecl.cli.run.choices import RunChoices
from edgecl.cli.run.config.keys import KEYS
from edgecl.cli.run.recipes.choices import RECIPE_RULES, recipe_choices
from edgecl.cli.verb import ARGUMENTS, PLACES, Verb
from runtime.errors import EdgeclError
from runtime.progress import Say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecl.cli.run.stream import InspectionStream
    from runtime.artifact.scene import SceneRecord
    from runtime.stream.pipeline import Pipeline

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
    """

    context: click.Context
    choices: RunChoices
    scene: SceneRecord | None
    remark: Say
    streams: Mapping[str, InspectionStream] = field(default_factory=dict)
    keep: Callable[[RunChoices], None] = lambda choices: None

    def reload(self, pipelines: Mapping[str, Pipeline]) -> None:
        """Read it again and judge by it; the old one goes on where it cannot be used."""
        try:
            with _own_meta(self.context):
                changed = self._change(pipelines)
        except (EdgeclError, click.ClickException) as error:
            told = error.format_message() if isinstance(error, click.ClickException) else str(error)
            self.remark(f"note: the configuration was not changed: {told}")
            return
        self.remark(
            f"note: the configuration was read again: {', '.join(changed)} changed"
            if changed
            else "note: the configuration was read again; nothing in it has changed"
        )

    def _change(self, pipelines: Mapping[str, Pipeline]) -> list[str]:
        from runtime.stream.budget import ACT, TOTAL

        if self.choices.recipes:
            raise EdgeclError(
                "a stream with recipes keeps the configuration that it began with",
                hint="restart the service, or give the recipe its own rules",
            )
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
        fixed = [name for name in changed if name not in RELOADABLE and name != "source"]
        if appears or (total and choices.part_of is not None):
            fixed.append("budget")
        if fixed:
            keys = ", ".join(dict.fromkeys(_key(name) for name in fixed))
            raise EdgeclError(
                f"{keys} cannot change while the stream runs", hint="restart the service for that"
            )
        healths = {}
        for chosen in choices.cameras:
            healths[chosen.name] = choices.health_of(chosen, self.scene, context)
        for stream in self.streams.values():
            choices.require_labels(stream.session.contract.labels, context)
        for name, pipeline in pipelines.items():
            stream = self.streams[name]
            new = replace(rules, bits=stream.settings.rules.bits)
            pipeline.change(new, healths[name])
            stream.settings = replace(stream.settings, rules=new, health=healths[name])
        self.choices = choices
        if changed:
            self.keep(choices)
        return [_key(name) for name in changed]

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
