"""The plots of a latency report: every frame of every side, the tail, and drift."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from edgecl.reporting.numbers import percent
from edgecl.reporting.plots.figure import HALF, panels, style, to_svg
from edgecl.reporting.plots.palette import colour, series
from runtime.benchmark.document import SideReport

T = TypeVar("T")
Sides = Sequence[SideReport]

_DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)))
STRIP_POINTS = 1500
"""Most points drawn per side and step; the slowest are always among them."""

LEAST_STRIP_POINTS = 250
PAGE_POINTS = 20_000
"""Points of all sides and steps together: a page of many sides draws fewer of each."""


def step_names(sides: Sides) -> list[str]:
    """The steps in the order in which a frame meets them, `total` left out."""
    names: list[str] = []
    for side in sides:
        names += [name for name in side.steps if name not in names]
    return [name for name in names if name != "total"]


def strip_plots(
    sides: Sides, steps: Sequence[str], *, names: Sequence[str]
) -> list[tuple[str, Markup]]:
    """Plot every frame as a point, a row per side: a plot per step, by its name.

    Args:
        sides: of the report.
        steps: a plot each; those without raw times are left out.
        names: a row's name per side.
    """
    found = []
    share = PAGE_POINTS // max(1, len(sides) * len(steps))
    most = min(STRIP_POINTS, max(LEAST_STRIP_POINTS, share))
    for step in steps:
        if not any(_times(side, step).size for side in sides):
            continue
        # Dots are lines of no length, which simplification drops.
        with style(), rc_context({"path.simplify": False}):
            figure, (axes,) = panels(1, width=HALF, height=0.75 + 0.24 * len(sides))
            for row, side in enumerate(sides):
                _strip(axes, row, side, step, most)
            axes.set_xlabel("ms")
            axes.grid(True, axis="x")
            log_ticks(axes)
            axes.set_yticks(range(len(sides)), names)
            axes.set_ylim(len(sides) - 0.45, -0.6)
            for label in axes.get_yticklabels():
                label.set_color(colour("ink"))
            found.append((step, to_svg(figure, f"{step} of every frame per side, in milliseconds")))
    return found


def tail_plots(sides: Sides) -> list[tuple[str, Markup]]:
    """The share of frames that were slower, per bundle: (name, plot).

    One colour per precision, of each number of threads and workers, and one dash per engine; the
    same scales in every plot.
    """
    with_times = [side for side in sides if _times(side, "total").size]
    if not with_times:
        return []
    everything = np.concatenate([_times(side, "total") for side in with_times])
    limits = (float(everything.min()) * 0.9, float(everything.max()) * 1.15)
    fewest = 1 / max(_times(side, "total").size for side in with_times)
    precisions = unique((side.precision, *side.shares) for side in sides)
    engines = unique(side.engine for side in sides)
    plots = []
    for bundle in unique(side.name for side in with_times):
        own = [side for side in with_times if side.name == bundle]
        with style():
            figure, (axes,) = panels(1, width=HALF, height=3.2)
            for side in own:
                ordered = np.sort(_times(side, "total"))
                slower = 1 - np.arange(ordered.size) / ordered.size
                axes.plot(
                    ordered,
                    slower,
                    drawstyle="steps-pre",
                    color=series(precisions.index((side.precision, *side.shares))),
                    linestyle=_DASHES[engines.index(side.engine) % len(_DASHES)],
                    linewidth=1.4,
                    label=" ".join((side.precision, side.engine, *side.shares)),
                )
            axes.set_yscale("log")
            axes.set_ylim(fewest * 0.8, 1.1)
            axes.set_xlim(*limits)
            log_ticks(axes)
            shares = [share for share in (1, 0.5, 0.1, 0.01, 0.001, 1e-4) if share >= fewest * 0.8]
            axes.yaxis.set_major_locator(FixedLocator(shares))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(FuncFormatter(_tail_label))
            axes.set_title("share of frames slower than")
            axes.set_xlabel("ms")
            axes.grid(True)
            axes.legend(loc="lower left", handlelength=2.0, fontsize=7.5)
            svg = to_svg(figure, f"Share of frames slower than a latency, {bundle}")
        plots.append((bundle, svg))
    return plots


def rounds_plot(sides: Sides, rounds: int) -> Markup | None:
    """Plot each round's median as a share of the side's own: drift, and whether it is common."""
    shown = [
        times.reshape(rounds, -1)
        for side in sides
        if (times := _times(side, "total")).size and rounds > 1 and times.size % rounds == 0
    ]
    if not shown:
        return None
    with style():
        figure, (axes,) = panels(1, width=HALF, height=2.4)
        for index, times in enumerate(shown):
            share = np.median(times, axis=1) / np.median(times)
            last = index == len(shown) - 1
            axes.plot(
                np.arange(1, rounds + 1),
                share,
                color=colour("faint"),
                linewidth=0.9,
                alpha=0.55,
                label="a side" if last else None,
            )
        common = np.median([np.median(times, axis=1) / np.median(times) for times in shown], axis=0)
        axes.plot(
            np.arange(1, rounds + 1),
            common,
            color=series(0),
            linewidth=1.8,
            label="median of the sides",
        )
        axes.axhline(1, color=colour("muted"), linewidth=0.8)
        axes.set_ylim(min(0.8, float(common.min()) * 0.95), min(3.0, max(1.3, common.max() * 1.1)))
        axes.margins(x=0.01)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2f}×"))
        axes.set_xlabel("round")
        axes.set_title("median of the round relative to the side's own")
        axes.grid(True, axis="y")
        axes.legend(loc="upper right", ncols=2)
        return to_svg(figure, "Median latency per round relative to each side's median")


def _strip(axes: Axes, row: int, side: SideReport, step: str, most: int) -> None:
    times = _times(side, step)
    if not times.size:
        return
    tint = colour("s1") if side.valid else colour("s8")
    kept = _thin(times, most)
    # Spread by the place in the sequence, not by chance: the same report gives the same page.
    spread = ((np.arange(kept.size) * 0.618034) % 1 - 0.5) * 0.52
    # One path of dots, each a line of no length with round ends: a marker per frame would be an
    # element per frame, and the page ten times the size.
    gap = np.full(kept.size, np.nan)
    axes.plot(
        np.column_stack((kept, kept, gap)).reshape(-1),
        np.column_stack((row + spread, row + spread, gap)).reshape(-1),
        color=tint,
        alpha=0.45,
        linewidth=1.8,
        solid_capstyle="round",
    )
    figures = side.steps.get(step)
    lines = ((figures.p50_ms, 0.36, 1.8), (figures.p99_ms, 0.24, 1.1)) if figures else ()
    for value, reach, thickness in lines:
        if value is not None:
            axes.plot(
                [value, value],
                [row - reach, row + reach],
                color=colour("ink"),
                linewidth=thickness,
                solid_capstyle="butt",
            )


def _thin(times: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Return at most so many values, evenly by rank, the slowest hundred among them."""
    if times.size <= most:
        return times
    ordered = np.sort(times)
    ranks = np.linspace(0, times.size - 101, most - 100).astype(int)
    return np.concatenate((ordered[ranks], ordered[-100:]))


def _times(side: SideReport, step: str) -> NDArray[np.float64]:
    """Milliseconds of every frame; empty where the report does not hold them."""
    times = np.asarray(side.raw_ns.get(step, []), np.float64) / 1e6
    return np.maximum(times, 1e-6)  # a logarithmic scale has no zero


def log_ticks(axes: Axes) -> None:
    """A logarithmic horizontal scale in plain numbers: 0.5, 1, 2, 5 as far as there is room."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades <= 2.2 else (1,)
    if decades <= 0.7:
        steps = (1, 1.5, 2, 3, 4, 5, 6, 8)  # type: ignore[assignment]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _tail_label(share: float, _: int | None) -> str:
    name = {1: "", 0.5: "p50", 0.1: "p90", 0.01: "p99", 0.001: "p99.9", 1e-4: "p99.99"}.get(share)
    text = "100 %" if share == 1 else percent(share, 0 if share >= 0.01 else 2)
    return f"{text}  {name}" if name else text


def unique(values: Iterable[T]) -> list[T]:
    """The values without repeats, in the order of their first appearance."""
    return list(dict.fromkeys(values))
