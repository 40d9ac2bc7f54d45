"""The stream of `edgecl run` that a command is for."""

from __future__ import annotations

from pathlib import Path

import click

from edgecl.cli.options import ANY_PATH
from edgecl.cli.run.file_names import STREAMS
from runtime.errors import InputError

STREAM_OPTION = click.option(
    "--stream",
    type=ANY_PATH,
    metavar="FOLDER",
    help=f"Folder of the running stream.  [default: the one that runs in {STREAMS}/]",
)


def running_stream(folder: Path | None) -> Path:
    """Return the folder of a running stream: the one that was named, or the only one.

    Raises:
        InputError: none runs in streams/, or several do.
    """
    from runtime.stream.control.socket import NAME, is_listening

    if folder is not None:
        return folder
    found = [path.parent for path in sorted(Path(STREAMS).glob(f"*/{NAME}"))]
    running = [folder for folder in found if is_listening(folder)]
    if len(running) == 1:
        return running[0]
    if not running:
        raise InputError(
            f"no stream runs in {STREAMS}/",
            hint="pass the folder of a stream that runs now, with --stream",
        )
    raise InputError(
        f"{len(running)} streams run: {', '.join(map(str, running))}", hint="name one with --stream"
    )
