"""The most confident mistakes, as images where the run kept them, else as a table."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from edgecl.learning.evaluation.mistakes import most_confident_mistakes
from edgecl.reporting.numbers import number
from edgecl.reporting.run_files import KeptImage, png_size

_WIDE = 2.0
"""Ratio of width to height from which images get a wider place."""


def mistake_rows(predictions: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """All misclassified images of predictions.csv, the most confident first."""
    confidence = [share_of(row, "confidence") for row in predictions]
    order = most_confident_mistakes(
        [row.get("truth") or "" for row in predictions],
        [row.get("predicted") or "" for row in predictions],
        [float("nan") if share is None else share for share in confidence],
    )
    return [_row(predictions[index]) for index in order]


def mistake_cards(kept: Sequence[KeptImage]) -> list[dict[str, Any]]:
    """A card per kept mistake: its row, and the image as a data URI with its size in pixels."""
    return [
        {
            **_row(mistake.row),
            "rank": rank,
            "truth_probability": share_of(mistake.row, "truth_probability"),
            "image": image_of(mistake.image),
        }
        for rank, mistake in enumerate(kept, start=1)
    ]


def are_wide(cards: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the images are strips that need more width."""
    ratios = [card["image"]["width"] / card["image"]["height"] for card in cards if card["image"]]
    return bool(ratios) and median(ratios) >= _WIDE


def mistakes_text(wrong: int, tested: int, shown: int) -> str:
    """Describe how many mistakes there were and how many of them are shown."""
    if not wrong:
        return f"None of the {tested} test images was misclassified."
    few = f"; the first {shown} are shown" if wrong > shown else ""
    return f"{wrong} of {tested} images were misclassified{few}."


def _row(row: Mapping[str, str]) -> dict[str, Any]:
    return {
        "file": row.get("file") or "–",
        "truth": row.get("truth") or "–",
        "predicted": row.get("predicted") or "–",
        "confidence": share_of(row, "confidence"),
    }


def share_of(row: Mapping[str, str], name: str) -> float | None:
    """A number of a table's row; None where it is missing or none."""
    try:
        return number(float(row.get(name) or "nan"))
    except ValueError:
        return None


def image_of(data: bytes | None) -> dict[str, Any] | None:
    """A PNG as a data URI with its size in pixels; None where there is none."""
    if data is None:
        return None
    width, height = png_size(data)
    return {
        "uri": "data:image/png;base64," + base64.b64encode(data).decode(),
        "width": width,
        "height": height,
    }
