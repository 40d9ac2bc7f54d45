"""Escapes of a precision, with their images, for the page."""

from __future__ import annotations

from typing import Any

import numpy as np

from export.gate.comparison import Comparison
from export.gate.thumbnails import MOST, thumbnails
from export.stages.proving import Reference
from runtime.image.tiles import worst_tile


def with_thumbnails(comparison: Comparison, reference: Reference) -> list[dict[str, Any]]:
    """The first escapes of a comparison as plain JSON, with small images.

    Of an image that was cut the tile is shown that spoke most against the part in the trained
    network: there it saw the defect.

    Args:
        reference: the trained model's answers for the images that were compared.
    """
    part = reference.part
    shown = comparison.escaped[:MOST]
    small = thumbnails(part.images, [_telling_tile(reference, escape.row) for escape in shown])
    return [
        {
            "file": part.files[escape.row],
            "label": escape.label,
            "reference": escape.reference,
            "reference_confidence": escape.reference_confidence,
            "answered": escape.answer,
            "confidence": escape.confidence,
            "image": image,
        }
        for escape, image in zip(shown, small, strict=True)
    ]


def _telling_tile(reference: Reference, row: int) -> int:
    """Return the place in the part's tiles of the one that shows why an image is a defect."""
    tiles = reference.part.tile_rows(np.array([row]))
    return int(tiles[worst_tile(reference.answers[tiles], reference.contract.passing)])
