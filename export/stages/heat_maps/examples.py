"""Validation images under their heat maps, for the page of an export."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from export.stages.proving import Reference
from runtime.image.heat_map import Window, evidence, laid_together, overlay
from runtime.image.tiles import worst_tile
from runtime.session.activation import ActivationSession

PER_LABEL, MOST = 2, 12
"""Examples on the page, per label and in all."""


def heat_map_examples(reference: Reference, session: ActivationSession) -> list[dict[str, Any]]:
    """Show validation images that are rejected, of each label those it is surest of.

    Of an image that was cut the tile is shown that speaks most against the part.
    """
    contract, part = reference.contract, reference.part
    answered = reference.probabilities.argmax(axis=1)
    sure = reference.probabilities.max(axis=1)
    by_label = [
        [row for row in np.argsort(-sure, kind="stable") if answered[row] == label][:PER_LABEL]
        for label in range(len(contract.labels))
        if label not in contract.passing
    ]
    # The surest of every label first: with many labels there is room for no more.
    rows = [rows[rank] for rank in range(PER_LABEL) for rows in by_label if rank < len(rows)][:MOST]
    examples = []
    for row in sorted(rows, key=lambda row: (answered[row], -sure[row])):
        tiles = part.tile_rows(np.array([row]))
        tile = part.images[tiles[worst_tile(reference.answers[tiles], contract.passing)]]
        label = int(answered[row])
        _, activation = session.run(tile[None, None])
        heat = laid_together(
            evidence(activation, label, contract.passing),
            [Window(0, 0, tile.shape[1], tile.shape[0])],
            session.cells,
            (tile.shape[0], tile.shape[1]),
            (tile.shape[0], tile.shape[1]),
        )
        examples.append(
            {
                "file": part.files[row],
                "label": contract.labels[label],
                "confidence": float(sure[row]),
                "image": _png(tile, overlay(tile, heat)),
            }
        )
    return examples


def _png(image: NDArray[np.uint8], hot: NDArray[np.uint8]) -> str:
    """Return an image beside itself under its heat map, as a PNG in Base64.

    A strip stands above itself.
    """
    height, width = hot.shape[:2]
    plain = cv2.cvtColor(cv2.resize(image, (width, height)), cv2.COLOR_GRAY2BGR)
    stack = np.hstack if width < 2 * height else np.vstack
    _, data = cv2.imencode(".png", stack([plain, hot]))
    return base64.b64encode(data.tobytes()).decode()
