"""Accuracy against latency, with labels that do not cover each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from edgecl.reporting.figure import WIDE, panels, style, to_svg
from edgecl.reporting.latency_plots import Sides, log_ticks, unique
from edgecl.reporting.numbers import number
from edgecl.reporting.palette import colour, series
from edgecl.reporting.placing import Box, place_labels

_MARKERS = ("o", "s", "D", "^")


def accuracy_plot(sides: Sides, *, names: Sequence[str]) -> Markup | None:
    """Accuracy against the median latency, with a line to p99; None without both.

    Colour stands for the bundle, shape for the precision; a filled mark for the first engine.
    """
    points = [
        (side, name, latency, accuracy)
        for side, name in zip(sides, names, strict=True)
        if (latency := number(total_step(side).get("p50_ms"))) and (accuracy := best_accuracy(side))
    ]
    if not points:
        return None
    bundles = unique(side.get("name") for side in sides)
    precisions = unique(side.get("precision") for side in sides)
    engines = unique(side.get("engine") for side in sides)
    with style():
        figure, (axes,) = panels(1, width=WIDE, height=4.0)
        for side, _, latency, accuracy in points:
            tint = series(bundles.index(side.get("name")))
            slowest = number(total_step(side).get("p99_ms")) or latency
            axes.plot([latency, slowest], [accuracy] * 2, color=tint, linewidth=1, alpha=0.45)
            axes.plot(
                [latency],
                [accuracy],
                linestyle="none",
                marker=_MARKERS[precisions.index(side.get("precision")) % len(_MARKERS)],
                markersize=6.5,
                color=tint,
                markerfacecolor=tint if engines.index(side.get("engine")) == 0 else colour("paper"),
            )
        low = min(latency for _, _, latency, _ in points)
        high = max(
            number(total_step(side).get("p99_ms")) or latency for side, _, latency, _ in points
        )
        axes.set_xlim(low / 1.35, max(high * 1.35, low * 2))
        log_ticks(axes)
        worst = min(accuracy for *_, accuracy in points)
        best = max(accuracy for *_, accuracy in points)
        room = max(0.0025, (best - worst) * 0.35)
        axes.set_ylim(worst - room, min(best + room, 1 + room / 2))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
        axes.set_xlabel("ms per frame: the mark is p50, the line ends at p99")
        axes.set_title("accuracy")
        axes.grid(True)
        _label_points(
            axes,
            [(latency, accuracy) for _, _, latency, accuracy in points],
            [name for _, name, _, _ in points],
            [
                (latency, number(total_step(side).get("p99_ms")) or latency, accuracy)
                for side, _, latency, accuracy in points
            ],
        )
        return to_svg(figure, "Accuracy against latency, a mark per side")


def best_accuracy(side: Mapping[str, Any]) -> float | None:
    """On the test part where there is one, else on the validation part."""
    accuracy = side.get("accuracy") or {}
    tested = number(accuracy.get("test"))
    return tested if tested is not None else number(accuracy.get("validation"))


def total_step(side: Mapping[str, Any]) -> Mapping[str, Any]:
    """The percentiles of the whole judgement."""
    return (side.get("steps") or {}).get("total") or {}


def _line_box(axes: Axes, line: tuple[float, float, float], dpi: float) -> Box:
    """A horizontal line (left, right, height) in display coordinates, as thick as a stroke."""
    (left, y), (right, _) = axes.transData.transform([(line[0], line[2]), (line[1], line[2])])
    return Box(float(left), float(y) - dpi * 0.015, float(right), float(y) + dpi * 0.015)


def _label_points(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    lines: Sequence[tuple[float, float, float]],
) -> None:
    figure = axes.figure.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # settles the layout, so that places can be measured
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    to_display, to_data = axes.transData, axes.transData.inverted()
    texts = [axes.text(0, 0, name, fontsize=8, va="bottom") for name in names]
    sizes = [(box.width + 4, box.height) for box in (t.get_window_extent(renderer) for t in texts)]
    display = [tuple(place) for place in to_display.transform(np.array(points))]
    frame = axes.get_window_extent(renderer)
    places = place_labels(
        [(float(x), float(y)) for x, y in display],
        sizes,
        within=Box(frame.x0, frame.y0, frame.x1, frame.y1),
        gap=figure.dpi * 0.07,
        lines=[_line_box(axes, line, figure.dpi) for line in lines],
    )
    for text, point, place, size in zip(texts, display, places, sizes, strict=True):
        x, y = to_data.transform((place[0] + 2, place[1]))
        text.set_position((float(x), float(y)))
        if abs(place[1] + size[1] / 2 - point[1]) > size[1] * 0.9:
            anchor = place[0] if place[0] > point[0] else place[0] + size[0]
            end = to_data.transform((anchor, place[1] + size[1] / 2))
            start = to_data.transform(point)
            axes.plot(
                [start[0], end[0]],
                [start[1], end[1]],
                color=colour("faint"),
                linewidth=0.6,
                zorder=1,
            )
