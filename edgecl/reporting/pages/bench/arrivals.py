"""Arrivals against their schedule, and the reading of a time in each scenario."""

from __future__ import annotations

from typing import Any

from runtime.benchmark.document import LatencyReport, SideReport
from runtime.benchmark.facts.scenario import ScenarioFacts, ScenarioKind

_SPANS: dict[ScenarioKind, str] = {
    "single-stream": "from the captured frame to the decision",
    "multi-stream": "from the captured frames of a query to the last decision",
    "offline": "from the captured frames of a batch to the last decision",
    "server": "from a frame's arrival to the decision, its wait for the frame before included",
    "cadence": "from the moment a frame was due to where the first sink has its verdict",
}


def scenario_text(scenario: ScenarioFacts) -> str:
    """Return the scenario in a few words."""
    words = [str(scenario.kind)]
    if scenario.rate_hz is not None:
        words.append(f"{scenario.rate_hz:.4g} frames/s")
    if scenario.frames_per_query > 1:
        words.append(f"{scenario.frames_per_query} frames per query")
    if scenario.soak_minutes is not None:
        words.append(f"soaked for {scenario.soak_minutes:g} min")
    if scenario.driver != "edgecl":
        words.append(f"issued by {scenario.driver}")
    return ", ".join(words)


def span_text(scenario: ScenarioFacts) -> str:
    """Return from where to where a time reaches."""
    return _SPANS[scenario.kind]


def arrivals_of(report: LatencyReport) -> dict[str, Any]:
    """Return what the page tells of arrivals: their columns, and a row per side that had any.

    Returns:
        `rows`, `bound` in words, `limit_ms`, and whether there are columns of `lost`, `busy` and
        `even`.
    """
    rows = [_row(side) for side in report.sides if side.schedule is not None or side.bound]
    schedules = [row["schedule"] for row in rows if row["schedule"]]
    bound = report.scenario.bound_ms
    return {
        "rows": rows,
        "bound": None if bound is None else f"{bound:g} ms",
        "limit_ms": schedules[0].limit_ms if schedules else None,
        "lost": report.scenario.kind == "cadence",
        "busy": any(schedule.busy is not None for schedule in schedules),
        "even": any(row["evenness"] is not None for row in rows),
    }


def _row(side: SideReport) -> dict[str, Any]:
    jitter = side.jitter
    return {
        "label": side.label,
        "schedule": side.schedule,
        "share": side.schedule.behind / side.schedule.arrivals if side.schedule else None,
        "bound": side.bound,
        "evenness": None if jitter is None else jitter.ends_std_ms,
    }
