"""heat_maps.jsonl: which reject has which heat map, and where that is hottest."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from runtime.files.document import Document, Part, read_lines


class HeatMapLine(Document, frozen=True, kw_only=True):
    """One line of `heat_maps.jsonl`.

    Args:
        frame: the frame's number, as in `verdicts.jsonl`.
        captured_at: when its capture started by the wall clock, ISO 8601 with `Z`.
        label: the label that it was rejected for.
        confidence: that label's probability, 0 to 1.
        file: image of the frame under its heat map, below the stream's folder; it is gone once so
            many newer ones are there as are kept.
        left, top: the hottest place, in pixels of the frame.
    """

    WHAT: ClassVar[str] = "a line of heat maps"
    REMEDY: ClassVar[str] = "pass a heat_maps.jsonl written by 'edgecl run --heat-maps'"

    schema: Literal[1] = 1
    frame: int
    captured_at: str
    label: str
    confidence: float
    file: str
    left: int
    top: int


class HeatMapAccount(Part, frozen=True, kw_only=True):
    """Heat maps of a stream's rejects.

    Args:
        folder: where they are.
        written: maps that were written.
        kept: those that are still there, the newest.
        left_out: rejects without a map, since others waited for theirs.
        failed: rejects whose map could not be computed or written.
        problem: what went wrong last; None where nothing did.
    """

    folder: str
    written: int
    kept: int
    left_out: int
    failed: int
    problem: str | None


def read_heat_maps(path: Path) -> list[HeatMapLine]:
    """Read heat_maps.jsonl.

    Raises:
        InputError: it cannot be read, or a line is of another form.
    """
    return read_lines(path, HeatMapLine)
