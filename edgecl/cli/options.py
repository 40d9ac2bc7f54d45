"""Option types that several verbs share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from runtime.artifact.roi import parse_roi
from runtime.errors import InputError

FOLDER = click.Path(path_type=Path, file_okay=False)
ANY_PATH = click.Path(path_type=Path)

NONE = "none"
"""Value of an option that leaves out what the bundle has."""

DEVICE = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="gpu requires TensorRT; auto falls back to the CPU where TensorRT does not work.",
)

LOGIN_FILE = click.option(
    "--login-file",
    type=ANY_PATH,
    metavar="FILE",
    help="User and password of the camera at an address, a line each, in place of "
    "USER:PASSWORD@ before its host.",
)


Options = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Decorator that adds one option or several to a command."""


def option_group(*options: Options) -> Options:
    """Return what gives a command several options, in their order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


class Checked(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """A text that is parsed later, and already checked where it is given.

    Args:
        name: of the form.
        check: raises InputError where the text is not of that form.
        prefix: what goes before its message; the option by default.
    """

    def __init__(
        self, name: str, check: Callable[[str], object], *, prefix: str | None = None
    ) -> None:
        self.name = name
        self.check = check
        self._prefix = prefix

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check the text, and return it as it is.

        Raises:
            InputError: it is not of the form.
        """
        self._read(str(value), param)
        return str(value)

    def _read(self, text: str, param: click.Parameter | None) -> object:
        try:
            return self.check(text)
        except InputError as error:
            prefix = self._prefix
            if prefix is None and param is not None:
                prefix = f"{max(param.opts, key=len)} "
            raise InputError(f"{prefix or ''}{error.problem}", hint=error.hint) from error


class Parsed(Checked):
    """A text that is parsed where it is given; the command gets what the check returns."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the text.

        Raises:
            InputError: it is not of the form.
        """
        return self._read(str(value), param)


class Region(Checked):
    """LEFT,TOP,WIDTH,HEIGHT in pixels, as in 0,16,1600,224.

    Args:
        or_none: take `none` too.
    """

    def __init__(self, *, or_none: bool = False) -> None:
        super().__init__("L,T,W,H", lambda text: self._canonical(text))
        self._or_none = or_none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check the text, and return it in its one form."""
        return self._canonical(str(super().convert(value, param, ctx)))

    def _canonical(self, text: str) -> str:
        return NONE if self._or_none and text == NONE else str(parse_roi(text))


_SIZE = re.compile(r"^(\d+)x(\d+)$", re.IGNORECASE)


class ImageSize(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.5
    """HEIGHTxWIDTH in pixels, as in 128x800."""

    name = "HxW"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Parse the text."""
        if isinstance(value, tuple):
            return value
        match = _SIZE.match(str(value))
        if match is None:
            self.fail(f"{value!r} is not HEIGHTxWIDTH in pixels, for example 128x800", param, ctx)
        return int(match[1]), int(match[2])
