"""Checks before each verb's own work: whether every given option has an effect."""

from __future__ import annotations

import math
import os
from typing import Any

import click
from click.core import ParameterSource

from edgecl.cli.ignored_options import NOTES, REFUSALS, Rule, Values
from runtime.errors import InputError


class Verb(click.Command):
    """Command that refuses options without effect, and non-finite numbers."""

    def invoke(self, ctx: click.Context) -> Any:
        """Check the options, then run the command.

        Raises:
            InputError: see `require_effect`.
        """
        _require_numbers(ctx)
        require_effect(ctx, ctx.params, REFUSALS.get(str(self.name), ()))
        _note(ctx, NOTES.get(str(self.name), ()))
        return super().invoke(ctx)


def require_effect(ctx: click.Context, values: Values, rules: tuple[Rule, ...]) -> None:
    """Refuse options on the command line that would have no effect.

    Args:
        ctx: of the command that is called.
        values: what the rules look at.

    Raises:
        InputError: such an option was given.
    """
    for rule in rules:
        for name in _without_effect(ctx, values, rule):
            reason = rule.reason.replace("{value}", str(values[name]))
            raise InputError(f"{_flag(ctx, name)} {reason}", hint=rule.hint)


def _note(ctx: click.Context, rules: tuple[Rule, ...]) -> None:
    if os.environ.get("RANK", "0") != "0":
        return  # the first of several ranks says it
    for rule in rules:
        names = _without_effect(ctx, ctx.params, rule)
        if names:
            options = ", ".join(_flag(ctx, name) for name in names)
            click.echo(f"note: {options}: {rule.reason}", err=True)


def _without_effect(ctx: click.Context, values: Values, rule: Rule) -> list[str]:
    """The parameters of the rule that were given, where the rule holds."""
    given = [
        name for name in rule.names if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    return given if given and rule.idle(values) else []


def _flag(ctx: click.Context, name: str) -> str:
    """The option as it is written."""
    parameter = next(entry for entry in ctx.command.params if entry.name == name)
    return max(parameter.opts, key=len)


def _require_numbers(ctx: click.Context) -> None:
    """Refuse `nan` and `inf`, which are within every range that click knows."""
    for name, value in ctx.params.items():
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float) and not math.isfinite(number):
                raise InputError(
                    f"{_flag(ctx, name)} {number} is not a finite number",
                    hint="use a finite number",
                )
