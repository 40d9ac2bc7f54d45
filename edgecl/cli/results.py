"""Location of a command's results, named when standard output cannot be written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click


@dataclass
class Results:
    """Finished results of a verb.

    Args:
        place: the file or folder that holds all of it; None while standard output is all there is.
        printed: standard output is what was asked for all the same, as with `--json`.
    """

    place: Path | None = None
    printed: bool = True


def results_are_in(place: Path, *, printed: bool = False) -> None:
    """Say, before they are printed, that the results are whole in `place`; see `Results`."""
    context = click.get_current_context(silent=True)
    if context is not None and isinstance(context.obj, Results):
        context.obj.place, context.obj.printed = place, printed
