"""Escapes of a precision, with their images, for the page."""

from __future__ import annotations

from typing import Any

from export.gate.comparison import Comparison
from export.gate.thumbnails import MOST, thumbnails
from export.job import DataPart


def with_thumbnails(comparison: Comparison, dataset: DataPart) -> list[dict[str, Any]]:
    """The first escapes of a comparison as plain JSON, with small images.

    Args:
        images: those that were compared.
    """
    shown = comparison.escaped[:MOST]
    small = thumbnails(dataset.images, [escape.row for escape in shown])
    return [
        {
            "file": dataset.files[escape.row],
            "label": escape.label,
            "reference": escape.reference,
            "reference_confidence": escape.reference_confidence,
            "answered": escape.answer,
            "confidence": escape.confidence,
            "image": image,
        }
        for escape, image in zip(shown, small, strict=True)
    ]
