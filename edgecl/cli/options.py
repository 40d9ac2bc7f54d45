"""Option types that several verbs share."""

from __future__ import annotations

import re
from pathlib import Path

import click

FOLDER = click.Path(path_type=Path, file_okay=False)
ANY_PATH = click.Path(path_type=Path)

DEVICE = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="gpu requires TensorRT; auto falls back to the CPU where TensorRT does not work.",
)

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
