"""One line of the output of `edgecl doctor`."""

from __future__ import annotations

from dataclasses import dataclass

OK, MISSING, NOTE = "ok", "missing", "note"


@dataclass(frozen=True)
class Row:
    """One checked item.

    Args:
        name: the thing.
        state: `ok`, `missing` or `note`.
        value: what was found, in words.
        hint: the command that brings it; empty where nothing is to be done.
    """

    name: str
    state: str
    value: str
    hint: str = ""
