"""Examples of heat maps, as cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgecl.reporting.numbers import number
from edgecl.reporting.pages.escapes import png_of
from edgecl.reporting.pages.sections.mistakes import image_of


def heat_map_cards(examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a card per example that has an image.

    Args:
        examples: as in the details of `render_export`.
    """
    cards = [
        {
            "file": str(entry.get("file") or "–"),
            "label": str(entry.get("label") or "–"),
            "confidence": number(entry.get("confidence")),
            "image": image_of(png_of(entry.get("image"))),
        }
        for entry in examples
    ]
    return [card for card in cards if card["image"]]
