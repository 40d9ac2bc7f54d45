"""Names beside the points of a plot, so that none covers another, a point or a line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from edgecl.reporting.plots.palette import colour
from edgecl.reporting.plots.placing import Box, place_labels

_STROKE = 0.015
"""Half a line's thickness, in inches."""
_GAP = 0.07
"""Distance between a point and its name, in inches."""


def label_points(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    *,
    lines: Sequence[tuple[float, float, float]] = (),
    marks: Sequence[tuple[float, float]] = (),
    mark_radius: float = 0.0,
    backed: bool = False,
) -> None:
    """Write a name beside each point, with a thin line to it where there was no room nearby.

    Args:
        axes: with its limits set.
        points: x, y in data coordinates.
        names: one per point.
        lines: horizontal lines to keep free, as (left, right, height) in data coordinates.
        marks: further points to keep free, in data coordinates.
        mark_radius: inches that each of them takes.
        backed: put paper under the names, where they may lie on points.
    """
    if not points:
        return
    figure = axes.figure.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # settles the layout, so that places can be measured
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    to_data = axes.transData.inverted()
    texts = [axes.text(0, 0, name, fontsize=8, va="bottom") for name in names]
    sizes = [(box.width + 4, box.height) for box in (t.get_window_extent(renderer) for t in texts)]
    display = _to_display(axes, points)
    frame = axes.get_window_extent(renderer)
    radius = figure.dpi * mark_radius
    taken = [_line_box(axes, line, figure.dpi * _STROKE) for line in lines]
    taken += [
        Box(x - radius, y - radius, x + radius, y + radius) for x, y in _to_display(axes, marks)
    ]
    places = place_labels(
        display,
        sizes,
        within=Box(frame.x0, frame.y0, frame.x1, frame.y1),
        gap=figure.dpi * _GAP,
        lines=taken,
    )
    if backed:
        for text in texts:
            text.set_bbox({"facecolor": colour("paper"), "alpha": 0.8, "linewidth": 0, "pad": 0.6})
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


def _to_display(axes: Axes, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    if not points:
        return []
    return [(float(x), float(y)) for x, y in axes.transData.transform(np.array(points))]


def _line_box(axes: Axes, line: tuple[float, float, float], half: float) -> Box:
    """A horizontal line (left, right, height) in display coordinates, as thick as a stroke."""
    (left, y), (right, _) = axes.transData.transform([(line[0], line[2]), (line[1], line[2])])
    return Box(float(left), float(y) - half, float(right), float(y) + half)
