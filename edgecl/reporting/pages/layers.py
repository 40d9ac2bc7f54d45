"""Cost of quantising each layer alone, as rows with bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgecl.reporting.numbers import number


def layer_rows(
    sensitivity: Sequence[Mapping[str, Any]], reference: float | None
) -> list[dict[str, Any]]:
    """A row per layer, the one that does most damage first.

    Args:
        sensitivity: as in the details of `render_export`.
        reference: accuracy without quantisation, 0 to 1; None where it is not known.

    Returns:
        Per layer its name, its figures, whether it was kept in floating point, and the lengths
        of its bars in per cent of the longest.
    """
    rows = [_row(entry, reference) for entry in sensitivity]
    loudest = max((row["snr_db"] for row in rows if row["snr_db"] is not None), default=0.0)
    scale = max(10.0, 10 * math.ceil(loudest / 10))
    most = max((row["points"] for row in rows if row["points"] is not None), default=0.0)
    for row in rows:
        row["snr_bar"] = _share(row["snr_db"], scale)
        row["points_bar"] = _share(row["points"], most)
    return sorted(rows, key=lambda row: math.inf if row["snr_db"] is None else row["snr_db"])


def _row(entry: Mapping[str, Any], reference: float | None) -> dict[str, Any]:
    accuracy = number(entry.get("accuracy"))
    known = accuracy is not None and reference is not None
    return {
        "layer": str(entry.get("layer") or "–"),
        "snr_db": number(entry.get("snr_db")),
        "points": round(100 * (reference - accuracy), 2) + 0.0 if known else None,  # type: ignore[operator]
        "agreement": number(entry.get("agreement")),
        "kept": bool(entry.get("kept")),
    }


def _share(value: float | None, whole: float) -> float:
    return 0.0 if value is None or whole <= 0 else round(100 * max(0.0, value) / whole, 1)
