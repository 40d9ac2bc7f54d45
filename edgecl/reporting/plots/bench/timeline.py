"""Every raw time in its order, so that stalls show where they were."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from edgecl.reporting.plots.figure import HALF, panels, style, to_svg
from edgecl.reporting.plots.latency import Sides
from edgecl.reporting.plots.palette import colour
from runtime.benchmark.document import SideReport

PIXELS = 240
"""Columns that a timeline is drawn in: each shows the quickest, median and slowest of its times."""

MOST_SIDES = 24


def timelines(sides: Sides) -> list[tuple[str, Markup]]:
    """Return a plot per side, by its label, of its whole times in the order of measurement.

    With more times than columns, a column's line reaches from its quickest to its slowest: no
    stall is left out.
    """
    found = []
    for side in sides[:MOST_SIDES]:
        times = np.asarray(side.raw_ns.get("total", ()), np.float64) / 1e6
        if times.size:
            found.append((side.label, _plot(side, times)))
    return found


def columns_of(times: NDArray[np.float64], count: int = PIXELS) -> NDArray[np.float64]:
    """Cut times into at most `count` runs: place of each run's middle, least, median and most.

    Returns:
        float64, 4×columns.
    """
    edges = np.unique(np.linspace(0, times.size, min(count, times.size) + 1).astype(int))
    parts = [times[start:end] for start, end in pairwise(edges)]
    return np.array(
        [
            (edges[:-1] + edges[1:] - 1) / 2,
            [part.min() for part in parts],
            [np.median(part) for part in parts],
            [part.max() for part in parts],
        ]
    )


def _plot(side: SideReport, times: NDArray[np.float64]) -> Markup:
    place, least, middle, most = columns_of(times)
    figures = side.steps.get("total")
    median = float(np.median(times))
    limit = side.outliers.limit_ms if side.outliers else None
    with style():
        figure, (axes,) = panels(1, width=HALF, height=1.75)
        # The same room for all, so that they stand in line; and measuring it takes half the time.
        figure.set_layout_engine("none")
        axes.set_position((0.1, 0.24, 0.83, 0.62))
        gap = np.full(place.size, np.nan)
        axes.plot(
            np.column_stack((place, place, gap)).reshape(-1),
            np.column_stack((least, most, gap)).reshape(-1),
            color=colour("s6"),
            linewidth=1.0,
            alpha=0.7,
            solid_capstyle="butt",
        )
        axes.plot(place, middle, color=colour("s1"), linewidth=1.0)
        far = most > (limit if limit is not None else 3 * median)
        if far.any():
            axes.plot(
                place[far],
                most[far],
                linestyle="none",
                marker="v",
                markersize=3.2,
                color=colour("bad"),
            )
        if figures is not None and figures.p99_ms is not None:
            axes.axhline(figures.p99_ms, color=colour("muted"), linewidth=0.8, linestyle="--")
            axes.text(
                1.0,
                figures.p99_ms,
                " p99",
                transform=axes.get_yaxis_transform(),
                va="center",
                fontsize=7.5,
                color=colour("muted"),
            )
        axes.set_ylim(0, max(float(most.max()) * 1.08, median * 2))
        axes.set_xlim(-0.5, times.size - 0.5)
        axes.set_xlabel("query, in the order of measurement")
        axes.set_title("ms")
        axes.grid(True, axis="y")
        slowest = int(np.argmax(times))
        return to_svg(
            figure,
            f"Times of {side.label} in order: median {median:.3g} ms, slowest "
            f"{times[slowest]:.3g} ms at query {slowest + 1} of {times.size}",
        )
