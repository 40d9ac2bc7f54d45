"""Images whose labels are probably wrong, as cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgecl.learning.findings import SuspectFacts
from edgecl.reporting.pages.sections.mistakes import image_of, share_of
from edgecl.reporting.run_files import KeptImage


def suspect_cards(kept: Sequence[KeptImage]) -> list[dict[str, Any]]:
    """A card per kept suspect: its row, and the image as a data URI with its size in pixels."""
    return [
        {
            "rank": rank,
            **{name: entry.row.get(name) or "–" for name in ("file", "part", "given", "suggested")},
            "given_probability": share_of(entry.row, "given_probability"),
            "suggested_probability": share_of(entry.row, "suggested_probability"),
            "image": image_of(entry.image),
        }
        for rank, entry in enumerate(kept, start=1)
    ]


def suspects_text(facts: SuspectFacts) -> str:
    """Describe how many labels were examined, suspected and listed."""
    if not facts.found:
        return f"None of {facts.examined} labels of the train and the validation part is suspected."
    few = f"; the surest {facts.listed} are shown" if facts.found > facts.listed else ""
    return (
        f"{facts.found} of {facts.examined} labels of the train and the validation part are "
        f"suspected{few}."
    )
