"""Lines that a scenario adds to the table on the terminal."""

from __future__ import annotations

from runtime.benchmark.document import LatencyReport, SideReport
from runtime.benchmark.facts.scenario import ScenarioFacts

WORTH_TELLING_S = 120.0
"""Length of a measurement from which it is told beforehand."""


def duration_line(sides: int, side_seconds: float | None) -> str:
    """Return how long a measurement will take, where that is known and long; empty elsewhere.

    Args:
        sides: how many.
        side_seconds: of each.
    """
    if side_seconds is None or sides * side_seconds < WORTH_TELLING_S:
        return ""
    fewer = "; name --precision, --engine or --threads to measure fewer" if sides > 1 else ""
    return (
        f"{sides} side{'s' * (sides != 1)} of {side_seconds:.0f} s each take "
        f"{sides * side_seconds / 60:.0f} min{fewer}"
    )


def unit_of(scenario: ScenarioFacts) -> str:
    """Return what one time of the table is of."""
    count = scenario.frames_per_query
    return "ms per frame" if count == 1 else f"ms per {count} frames"


def scenario_lines(report: LatencyReport) -> list[str]:
    """Return a line per side on what its scenario is about; none for single-stream by itself."""
    scenario = report.scenario
    told = [(side.label, _told(side, scenario)) for side in report.sides]
    lines = [f"{label}: {', '.join(words)}" for label, words in told if words]
    rate = "" if scenario.rate_hz is None else f", {scenario.rate_hz:.4g} frames/s"
    return [f"{scenario.kind}{rate}", *lines] if lines else []


def _told(side: SideReport, scenario: ScenarioFacts) -> list[str]:
    told = []
    if side.throughput is not None and scenario.frames_per_query > 1:
        ends = side.throughput.interval
        between = f" (95 %: {ends[0]:.1f} to {ends[1]:.1f})" if ends else ""
        told.append(f"{side.throughput.frames_per_s:.1f} frames/s{between}")
    if side.bound is not None and scenario.bound_ms is not None:
        told.append(f"{side.bound.within:.2%} within {scenario.bound_ms:g} ms")
    if side.schedule is not None:
        told.append(f"{side.schedule.behind} of {side.schedule.arrivals} arrivals behind schedule")
        if side.schedule.busy is not None:
            told.append(f"busy {side.schedule.busy:.0%}")
    if side.jitter is not None and side.jitter.ends_std_ms is not None:
        told.append(f"answers come evenly to {side.jitter.ends_std_ms:.2f} ms")
    if side.loadgen is not None:
        own = side.loadgen
        figure = (
            f"{own.samples_per_s:.1f} frames/s"
            if own.samples_per_s is not None
            else f"p90 {own.p90_ms:.2f} ms"
        )
        told.append(f"LoadGen {own.version}: {figure}")
    return told
