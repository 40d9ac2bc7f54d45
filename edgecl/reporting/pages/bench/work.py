"""Each side against this machine's peaks, and its layers: what is left to win."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.benchmark.document import LatencyReport, SideReport

TOP = 10


def work_rows(report: LatencyReport) -> list[dict[str, Any]]:
    """A row per side whose work is known, with what the machine's peak would take for it."""
    return [row for side in report.sides if (row := _row(report, side)) is not None]


def _row(report: LatencyReport, side: SideReport) -> dict[str, Any] | None:
    peaks = report.peaks
    if not side.macs or peaks is None or not side.device.startswith("CPU"):
        return None
    if side.threads not in (None, peaks.threads):  # a peak of other threads says nothing
        return None
    macs = side.macs * (side.tiles or 1) * report.scenario.frames_per_query
    step = side.steps.get("infer")
    measured = step.p50_ms if step else None
    roof = peaks.gmac_s(side.precision)
    if not roof or not measured:
        return None
    floor = macs / roof / 1e6
    return {
        "name": side.name,
        "precision": side.precision,
        "engine": side.engine,
        "more": ", ".join(side.shares),
        "macs": macs,
        "measured": measured,
        "rate": macs / measured / 1e6,
        "roof": roof,
        "floor": floor,
        "share": min(1.0, floor / measured),
    }


def layer_tables(sides: Sequence[SideReport]) -> list[dict[str, Any]]:
    """A table per side that was profiled: its slowest layers, and what all take."""
    found = []
    for side in sides:
        layers = side.layers
        if layers is None:
            continue
        rows = layers.slowest(TOP)
        longest = rows[0].ms if rows else 0.0
        shown = sum(row.share for row in rows)
        found.append(
            {
                "label": side.label,
                "profiler": layers.profiler,
                "count": len(layers.rows),
                "shown": len(rows),
                "share": shown,
                "total": layers.total_ms,
                "batch": layers.batch,
                "tiles": side.tiles is not None,
                "rows": [
                    {"row": row, "bar": round(100 * row.ms / longest, 1) if longest else 0.0}
                    for row in rows
                ],
                "notes": layers.notes,
            }
        )
    return found
