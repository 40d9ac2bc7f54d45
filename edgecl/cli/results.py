"""JSON on standard output, and the location of the results when it cannot be written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click


@dataclass
class Results:
    """Finished results of a verb.

    Args:
        place: the file or folder that holds all of it; None while standard output is all there is.
        printed: standard output is what was asked for all the same, as with `--json`.
        has_json: the one JSON document of this command is on standard output.
        json_asked: a configuration file asks for it, as `--json` does.
    """

    place: Path | None = None
    printed: bool = True
    has_json: bool = False
    json_asked: bool = False


def results_are_in(place: Path, *, printed: bool = False) -> None:
    """Say, before they are printed, that the results are whole in `place`; see `Results`."""
    context = click.get_current_context(silent=True)
    if context is not None and isinstance(context.obj, Results):
        context.obj.place, context.obj.printed = place, printed


def print_json(document: Any) -> None:
    """Print the JSON document that `--json` asked for; a command prints one at most.

    Lone surrogates, as in file names that are not UTF-8, become JSON's escapes.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False)
    click.echo(text.encode(errors="backslashreplace").decode())
    context = click.get_current_context(silent=True)
    if context is not None and isinstance(context.obj, Results):
        context.obj.has_json = True
