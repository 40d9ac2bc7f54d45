"""Accuracy against latency, with labels that do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.ticker import FuncFormatter

from edgecl.reporting.plots.figure import WIDE, panels, style, to_svg
from edgecl.reporting.plots.latency import Sides, log_ticks, unique
from edgecl.reporting.plots.palette import colour, series
from edgecl.reporting.plots.point_labels import label_points
from runtime.benchmark.document import SideReport, StepFigures

_MARKERS = ("o", "s", "D", "^")


def accuracy_plot(
    sides: Sides, *, names: Sequence[str], width: float = WIDE, height: float = 3.6
) -> Markup | None:
    """Accuracy against the median latency, with a line to p99; None without both.

    Colour stands for the bundle, shape for the precision; a filled mark for the first engine. The
    stepped line is the Pareto front, and only what lies on it is named.

    Args:
        sides: of the report.
        names: of each.
        width, height: inches.
    """
    points = [
        (side, name, latency, accuracy)
        for side, name in zip(sides, names, strict=True)
        if (latency := total_step(side).p50_ms)
        and (accuracy := side.accuracy.best_known) is not None
    ]
    if not points:
        return None
    bundles = unique(side.name for side in sides)
    precisions = unique(side.precision for side in sides)
    engines = unique(side.engine for side in sides)
    with style():
        figure, (axes,) = panels(1, width=width, height=height)
        for side, _, latency, accuracy in points:
            tint = series(bundles.index(side.name))
            slowest = total_step(side).p99_ms or latency
            axes.plot([latency, slowest], [accuracy] * 2, color=tint, linewidth=1, alpha=0.45)
            axes.plot(
                [latency],
                [accuracy],
                linestyle="none",
                marker=_MARKERS[precisions.index(side.precision) % len(_MARKERS)],
                markersize=6.5,
                color=tint,
                markerfacecolor=tint if engines.index(side.engine) == 0 else colour("paper"),
            )
        low = min(latency for _, _, latency, _ in points)
        high = max(total_step(side).p99_ms or latency for side, _, latency, _ in points)
        axes.set_xlim(low / 1.35, max(high * 1.35, low * 2))
        log_ticks(axes)
        worst = min(accuracy for *_, accuracy in points)
        best = max(accuracy for *_, accuracy in points)
        room = max(0.0025, (best - worst) * 0.35)
        axes.set_ylim(worst - room, min(best + room, 1 + room / 2))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: accuracy_tick(value)))
        axes.set_xlabel("ms per frame: the mark is p50, the line ends at p99")
        axes.set_title("accuracy")
        axes.grid(True)
        front = pareto_front(sides)
        named = sorted(
            ((latency, accuracy, name) for side, name, latency, accuracy in points if side in front)
        )
        axes.step(
            [*(latency for latency, _, _ in named), axes.get_xlim()[1]],
            [*(accuracy for _, accuracy, _ in named), named[-1][1]],
            where="post",
            color=colour("muted"),
            linewidth=1.0,
            linestyle=(0, (4, 2)),
            zorder=1,
        )
        label_points(
            axes,
            [(latency, accuracy) for latency, accuracy, _ in named],
            [name for _, _, name in named],
            marks=[(latency, accuracy) for _, _, latency, accuracy in points],
            mark_radius=0.04,
            lines=[
                *(
                    (latency, total_step(side).p99_ms or latency, accuracy)
                    for side, _, latency, accuracy in points
                ),
                *(
                    (latency, after, accuracy)
                    for (latency, accuracy, _), after in zip(
                        named, [*(one for one, _, _ in named[1:]), axes.get_xlim()[1]], strict=True
                    )
                ),
            ],
        )
        return to_svg(figure, "Accuracy against latency, one mark per candidate")


def accuracy_tick(value: float) -> str:
    """Return the label of a tick, 0 to 1; none above, where there is only room for marks."""
    return "" if value > 1 + 1e-9 else f"{100 * value:.6g} %"


def pareto_front(sides: Sides) -> list[SideReport]:
    """The sides that no other beats: none is as quick and as accurate, and better in one of them.

    Those without accuracy or median are left out.
    """
    known = [
        (latency, accuracy, side)
        for side in sides
        if (latency := total_step(side).p50_ms)
        and (accuracy := side.accuracy.best_known) is not None
    ]
    return [
        side
        for latency, accuracy, side in known
        if not any(
            other <= latency and better >= accuracy and (other, better) != (latency, accuracy)
            for other, better, _ in known
        )
    ]


def total_step(side: SideReport) -> StepFigures:
    """The percentiles of the whole judgement."""
    return side.steps["total"]
