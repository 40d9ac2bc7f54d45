"""The values that enter the layers, and where calibration cuts them, as small multiples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgecl.reporting.numbers import number, percent

WIDTH, HEIGHT = 200, 56
"""Width and height of the drawing, in its own units."""


def range_histograms(histograms: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A drawing per layer; entries that make no sense are left out.

    Args:
        histograms: as in the details of `render_export`.

    Returns:
        Per layer its name, the outline as an SVG path on a logarithmic scale of counts, where
        the kept range starts and ends, the ends in numbers, and the share of values cut off.
    """
    return [drawing for drawing in map(_drawing, histograms) if drawing]


def _drawing(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    counts = [number(count) for count in entry.get("counts") or []]
    low, high = _pair(entry.get("edges"))
    if not counts or low is None or high is None or low >= high:
        return None
    known = [max(0.0, count or 0.0) for count in counts]
    start, end = _pair(entry.get("range"))
    cut = None if start is None or end is None else _cut(known, low, high, start, end)
    places = [None if value is None else _place(value, low, high) for value in (start, end)]
    return {
        "layer": str(entry.get("layer") or "–"),
        "path": _outline(known),
        "start": places[0],
        "end": places[1],
        "edges": (_short(low), _short(high)),
        "range": None if start is None or end is None else (_short(start), _short(end)),
        "cut": cut,
        "cut_text": "under 0.01 %" if cut and cut < 5e-5 else percent(cut, 2),
    }


def _outline(counts: Sequence[float]) -> str:
    top = math.log1p(max(counts)) or 1.0
    step = WIDTH / len(counts)
    parts = [f"M0 {HEIGHT}"]
    for place, count in enumerate(counts):
        height = HEIGHT - (HEIGHT - 2) * math.log1p(count) / top
        parts.append(f"V{height:.1f}H{(place + 1) * step:.1f}".replace(".0", ""))
    return "".join([*parts, f"V{HEIGHT}Z"])


def _cut(counts: Sequence[float], low: float, high: float, start: float, end: float) -> float:
    """The share of the values outside the range, to the precision of a bin."""
    width = (high - low) / len(counts)
    centres = (low + (place + 0.5) * width for place in range(len(counts)))
    outside = sum(
        count for centre, count in zip(centres, counts, strict=True) if not start <= centre <= end
    )
    return outside / (sum(counts) or 1.0)


def _pair(value: Any) -> tuple[float | None, float | None]:
    if not isinstance(value, Sequence) or len(value) != 2:
        return None, None
    return number(value[0]), number(value[1])


def _place(value: float, low: float, high: float) -> float:
    return round(WIDTH * min(1.0, max(0.0, (value - low) / (high - low))), 1)


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
