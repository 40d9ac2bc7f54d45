"""What escaped a precision, with its pictures, for the page."""

from __future__ import annotations

from typing import Any

from export.gate.comparison import Comparison
from export.gate.thumbnails import MOST, thumbnails
from export.job import Pictures


def pictured(comparison: Comparison, pictures: Pictures) -> list[dict[str, Any]]:
    """The first escapes of a comparison as plain JSON, with small pictures.

    Args:
        pictures: those that were compared.
    """
    shown = comparison.escaped[:MOST]
    small = thumbnails(pictures.images, [escape.row for escape in shown])
    return [
        {
            "file": pictures.files[escape.row],
            "label": escape.label,
            "reference": escape.reference,
            "reference_confidence": escape.reference_confidence,
            "answered": escape.answer,
            "confidence": escape.confidence,
            "picture": picture,
        }
        for escape, picture in zip(shown, small, strict=True)
    ]
