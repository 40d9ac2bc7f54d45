"""Summary of an export: what was written, and what was not."""

from __future__ import annotations

from typing import ClassVar, Literal

from runtime.files.document import Document


class ReviewExport(Document, frozen=True, kw_only=True):
    """Summary that `edgecl review --export --json` prints.

    Args:
        folder: that was reviewed.
        out: the data folder.
        images: reviewed images that were written, by label.
        labelled: images with earlier labels that were written beside them.
        groups: of all that was written.
        largest_group: its number of images.
        disagreements: images that reviewers gave different labels, which were left out.
        dont_know: images that nobody who decided knew.
        under_heat_maps: decided images that are no originals.
        gone: decided images that are not in the folder any more.
        reviewers: everybody with a decision that stands.
        notes: what the user should know.
    """

    WHAT: ClassVar[str] = "a summary of exported reviews"
    REMEDY: ClassVar[str] = "pass what 'edgecl review --export --json' printed"

    schema: Literal[1] = 1
    folder: str
    out: str
    images: dict[str, int]
    labelled: int
    groups: int
    largest_group: int
    disagreements: int
    dont_know: int
    under_heat_maps: int
    gone: int
    reviewers: tuple[str, ...]
    notes: tuple[str, ...]
