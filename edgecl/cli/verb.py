"""Checks before each verb's own work: whether every given option has an effect."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from click.core import ParameterSource

from edgecl.cli.ignored_options import NOTES, REFUSALS, Rule, Values
from runtime.errors import InputError

PLACES = "edgecl.places"
"""Key in a context's `meta` of the places in a configuration file, by parameter."""


ARGUMENTS = "edgecl.arguments"
"""Key of a command's arguments as they were given, for one that reads its options again."""


class Verb(click.Command):
    """Command that refuses options without effect, and non-finite numbers."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and keep them."""
        ctx.meta[ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Check the options, then run the command.

        Raises:
            InputError: see `require_effect`.
        """
        self.check(ctx)
        _note(ctx, NOTES.get(str(self.name), ()))
        return super().invoke(ctx)

    def check(self, ctx: click.Context) -> None:
        """Refuse options that have no effect.

        Raises:
            InputError: see `require_effect`.
        """
        _require_numbers(ctx)
        require_effect(ctx, ctx.params, REFUSALS.get(str(self.name), ()))


def require_effect(ctx: click.Context, values: Values, rules: tuple[Rule, ...]) -> None:
    """Refuse options that were given and would have no effect.

    In a configuration file an option is given where it differs from its default: a whole
    configuration names them all.

    Args:
        ctx: of the command that is called.
        values: what the rules look at.

    Raises:
        InputError: such an option was given.
    """
    for rule in rules:
        for name in _without_effect(ctx, values, rule):
            reason = rule.reason.replace("{value}", str(values[name]))
            raise InputError(f"{flag_of(ctx, name)} {reason}", hint=rule.hint)


def _note(ctx: click.Context, rules: tuple[Rule, ...]) -> None:
    if os.environ.get("RANK", "0") != "0":
        return  # the first of several ranks says it
    for rule in rules:
        names = _without_effect(ctx, ctx.params, rule)
        if names:
            options = ", ".join(flag_of(ctx, name) for name in names)
            click.echo(f"note: {options}: {rule.reason}", err=True)


@contextmanager
def naming_place(ctx: click.Context, *names: str) -> Iterator[None]:
    """Name the place in the configuration file in errors of the block about its values.

    Args:
        names: parameters that an error may be about: of several, one whose value it shows.

    Raises:
        InputError: the block's, with the place before it where the value came from a file.
    """
    try:
        yield
    except InputError as error:
        told = [
            name
            for name in names
            if _is_from_file(ctx, name)
            and (len(names) == 1 or str(ctx.params[name]) in error.problem)
        ]
        if not told:
            raise
        raise InputError(
            f"{flag_of(ctx, told[0])}: {error.problem}", hint=error.hint, code=error.code
        ) from error


def flag_of(ctx: click.Context, name: str, item: str = "") -> str:
    """The option as it is written, or the place in the configuration file that gave its value.

    Args:
        name: of the parameter.
        item: one name of an option that takes NAME=VALUE.
    """
    if _is_from_file(ctx, name):
        places: Mapping[str, str] = ctx.meta[PLACES]
        return places.get(f"{name}={item}", places[name])
    parameter = next(entry for entry in ctx.command.params if entry.name == name)
    return max(parameter.opts, key=len)


def _is_from_file(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP and name in ctx.meta.get(
        PLACES, {}
    )


def _without_effect(ctx: click.Context, values: Values, rule: Rule) -> list[str]:
    """The parameters of the rule that were given, where the rule holds."""
    given = [name for name in rule.names if _is_given(ctx, name)]
    return given if given and rule.idle(values) else []


def _is_given(ctx: click.Context, name: str) -> bool:
    if not _is_from_file(ctx, name):
        return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    option = next(entry for entry in ctx.command.params if entry.name == name)
    return bool(ctx.params[name] != option.default)


def _require_numbers(ctx: click.Context) -> None:
    """Refuse `nan` and `inf`, which are within every range that click knows."""
    for name, value in ctx.params.items():
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float) and not math.isfinite(number):
                raise InputError(
                    f"{flag_of(ctx, name)} {number} is not a finite number",
                    hint="use a finite number",
                )
