"""Cameras of `edgecl run`: one, or several with names, each with choices of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from edgecl.cli.verb import PLACES
from runtime.errors import InputError

OWN_CHOICES = (
    "fps",
    "login_file",
    "give_up_after",
    "trigger",
    "settings",
    "roi",
    "flat",
    "bits",
    "health",
    "every_frame",
    "frames",
)
"""Parameters that a camera may have a value of its own for."""

OWN_VALUES = "edgecl.cameras"
"""Key in a context's `meta` of the cameras' own values in a configuration file, by name."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}", re.ASCII)
_NAMED = re.compile(rf"({NAME.pattern})=(.*)", re.ASCII | re.DOTALL)
_DEMO = "demo"


@dataclass(frozen=True, kw_only=True)
class CameraChoice:
    """Choices about one camera.

    Args:
        name: of one among several; empty for the only one.
        source: what to open.
        own: the parameters for which it has a value of its own, beside those for all cameras.
    """

    name: str
    source: str
    every_frame: bool | None
    frames: int | None
    fps: float | None
    login_file: Path | None
    give_up_after: float | None
    trigger: str | None
    settings: tuple[str, ...]
    roi: str | None
    flat: Path | None
    bits: int | None
    health: str
    own: frozenset[str] = frozenset()


def camera_choices(context: click.Context, values: Mapping[str, Any]) -> tuple[CameraChoice, ...]:
    """Return the cameras that were asked for.

    Args:
        context: of the command, which knows where each value was given.
        values: of its options; `source` has one text per camera.

    Returns:
        One without a name, or several with names.

    Raises:
        InputError: names or sources do not fit together.
    """
    texts: tuple[str, ...] = values["source"]
    if len(texts) == 1 and _is_alone(texts[0]):
        return (_choice("", texts[0], values, {}),)
    named = [_split(text, len(texts)) for text in texts]
    require_distinct(named)
    from_file = context.get_parameter_source("source") is ParameterSource.DEFAULT_MAP
    held: Mapping[str, Mapping[str, Any]] = context.meta.get(OWN_VALUES, {}) if from_file else {}
    given = {
        name
        for name in OWN_CHOICES
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    return tuple(
        _choice(
            name,
            source,
            values,
            {key: value for key, value in held.get(name, {}).items() if key not in given},
        )
        for name, source in named
    )


def require_distinct(named: Sequence[tuple[str, str]]) -> None:
    """Refuse two cameras of one name, and two of one source; of `demo` there may be several.

    Raises:
        InputError: there are such.
    """
    names: dict[str, str] = {}
    sources: dict[str, str] = {}
    for name, source in named:
        place = _place(source)
        if name.casefold() in names:
            raise InputError(
                f"two cameras are named {name!r}", hint="give each camera a name of its own"
            )
        if place in sources and source != _DEMO:
            raise InputError(
                f"cameras {sources[place]!r} and {name!r} have the same source {source!r}",
                hint="give each source once",
            )
        names[name.casefold()] = sources[place] = name


def _place(source: str) -> str:
    """Return a file, folder or video device by its one true path, and any other source as it is."""
    import os

    from runtime.camera.address import device_node

    if source.isascii() and source.isdigit() and not os.path.lexists(source):
        source = str(device_node(int(source)))
    return os.path.realpath(source) if os.path.lexists(source) else source


def place_of(context: click.Context, camera: CameraChoice) -> str:
    """Return how messages name one of several cameras: its place in the file, or its name."""
    places: Mapping[str, str] = context.meta.get(PLACES, {})
    from_file = context.get_parameter_source("source") is ParameterSource.DEFAULT_MAP
    return places.get(f"source={camera.name}" if from_file else "", f"camera {camera.name}")


def _is_alone(text: str) -> bool:
    """Whether one camera without a name is meant: an existing file may have a name with `=`."""
    import os

    return _NAMED.fullmatch(text) is None or os.path.lexists(text)


def _split(text: str, count: int) -> tuple[str, str]:
    match = _NAMED.fullmatch(text)
    if match is None:
        raise InputError(
            f"--camera {text!r} has no name, but there are {count} cameras",
            hint="name each one: --camera left=0 --camera right=1",
        )
    return match[1], match[2]


def _choice(
    name: str, source: str, values: Mapping[str, Any], own: Mapping[str, Any]
) -> CameraChoice:
    held = {key: own.get(key, values[key]) for key in OWN_CHOICES}
    return CameraChoice(name=name, source=source, own=frozenset(own), **held)
