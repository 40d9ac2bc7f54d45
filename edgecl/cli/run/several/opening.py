"""Opening of several cameras, and of their files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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
        with naming_camera(context, chosen):
            camera = open_chosen_camera(chosen, report, seed=number)
        opened[chosen.name] = stack.enter_context(camera)
    return opened


@contextmanager
def naming_camera(context: click.Context, camera: CameraChoice) -> Iterator[None]:
    """Name a camera in errors of the block, by its place in the file or its name.

    Raises:
        EdgeclError: the block's.
    """
    try:
        yield
    except EdgeclError as error:
        told = f"{place_of(context, camera)}: {error.problem}"
        raise type(error)(told, hint=error.hint, code=error.code) from error


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
