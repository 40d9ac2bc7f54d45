"""Images of the defects that a precision misses, as cards."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from edgecl.reporting.artefacts import ArtefactFigures
from edgecl.reporting.numbers import number
from edgecl.reporting.pages.sections.mistakes import are_wide, image_of
from edgecl.reporting.run_files import png_size

_PNG = b"\x89PNG\r\n\x1a\n"


def escape_groups(
    found: Mapping[str, ArtefactFigures], escapes: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """Return the cards of each artefact that misses something.

    Args:
        found: from `artefacts`.
        escapes: as in the details of `render_export`.

    Returns:
        Per artefact its name, its cards, how many escapes there are in all, and whether the
        images are strips.
    """
    groups = []
    for name, entries in escapes.items():
        cards = [_card(rank, entry) for rank, entry in enumerate(entries, start=1)]
        if cards:
            counted = found[name].measured.escapes if name in found else None
            groups.append(
                {
                    "name": name,
                    "cards": cards,
                    "count": max(len(cards), counted or 0),
                    "wide": are_wide(cards),
                }
            )
    return groups


def _card(rank: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rank": rank,
        "file": str(entry.get("file") or "–"),
        "label": str(entry.get("label") or "–"),
        "reference": str(entry.get("reference") or "–"),
        "reference_confidence": number(entry.get("reference_confidence")),
        "answered": str(entry.get("answered") or "no prediction"),
        "confidence": number(entry.get("confidence")),
        "image": image_of(png_of(entry.get("image"))),
    }


def png_of(text: Any) -> bytes | None:
    """Return a PNG in Base64 as bytes; None where it is none."""
    try:
        data = base64.b64decode(str(text or ""), validate=True)
    except (ValueError, binascii.Error):
        return None
    return data if data.startswith(_PNG) and len(data) > 24 and all(png_size(data)) else None
