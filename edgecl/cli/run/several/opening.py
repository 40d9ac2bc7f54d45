"""Opening of several cameras, and of their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgecl.cli.run.cameras import CameraChoice, place_of
from edgecl.cli.run.opening import open_chosen_camera
from runtime.errors import EdgeclError, InputError

if TYPE_CHECKING:
    from runtime.camera import Camera
    from runtime.camera.outages import Outages
    from runtime.progress import Say


def open_cameras(
    wanted: Sequence[CameraChoice],
    context: click.Context,
    outages: Mapping[str, Outages],
    say: Say,
    stack: ExitStack,
) -> dict[str, Camera]:
    """Open the cameras, one after the other; `stack` closes them.

    Raises:
        EdgeclError: one cannot be opened; it is named by its place in the file, or its name.
    """
    opened = {}
    for number, chosen in enumerate(wanted):
        report = noting(chosen.name, outages[chosen.name], say)
        try:
            camera = open_chosen_camera(chosen, report, seed=number)
        except EdgeclError as error:
            place = place_of(context, chosen)
            told = f"{place}: {error.problem}"
            raise type(error)(told, hint=error.hint, code=error.code) from error
        opened[chosen.name] = stack.enter_context(camera)
    return opened


def noting(name: str, kept: Outages | list[str], say: Say) -> Say:
    """Return what keeps a line about a camera, and says it with the camera's name."""

    def note(text: str) -> None:
        if isinstance(kept, list):
            kept.append(text)
        else:
            kept.add(text)
        say(f"{name}: {text}")

    return note


def require_new(folder: Path, names: Sequence[str]) -> None:
    """Refuse a folder with files of an earlier stream, before the first of the new ones is made.

    Raises:
        InputError: there is such a file.
    """
    for name in names:
        if (folder / name).exists():
            raise InputError(
                f"{folder / name} already exists, as from an earlier stream",
                hint="choose another folder, or move that file",
            )
