"""Plots of a tuning: both errors against the threshold, and against each other."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from edgecl.reporting.plots.figure import panels, style, to_svg
from edgecl.reporting.plots.palette import colour
from edgecl.tuning.documents import TunedPoint, TunedShare


def tuning_plot(
    curve: Sequence[TunedPoint],
    chosen: TunedPoint | None,
    now: TunedPoint,
    escapes_limit: float | None = None,
    false_rejects_limit: float | None = None,
) -> Markup:
    """Plot escapes and false rejects with their intervals.

    Args:
        curve: ascending.
        escapes_limit, false_rejects_limit: shares that the rule allows.
    """
    with style():
        figure, (left, middle, right) = panels(3, height=3.2)
        escapes = [point.escapes for point in curve]
        _against_threshold(left, curve, escapes, "s2", chosen, now, escapes_limit)
        left.set_title("defects that escape")
        held = [point.false_rejects for point in curve]
        _against_threshold(middle, curve, held, "s1", chosen, now, false_rejects_limit)
        middle.set_title("good parts held back")
        _against_each_other(right, curve, chosen, now)
        return to_svg(
            figure, "Escapes and false rejects against the threshold, and against each other"
        )


def _against_threshold(
    axes: Axes,
    curve: Sequence[TunedPoint],
    shares: Sequence[TunedShare],
    role: str,
    chosen: TunedPoint | None,
    now: TunedPoint,
    limit: float | None,
) -> None:
    places = [point.threshold for point in curve]
    low, high = zip(*(share.interval or (0.0, 0.0) for share in shares), strict=True)
    axes.fill_between(places, low, high, color=colour(role), alpha=0.18, linewidth=0)
    axes.plot(places, [share.share or 0.0 for share in shares], color=colour(role))
    if limit is not None:
        axes.axhline(limit, color=colour("bad"), linewidth=1, linestyle=(0, (4, 3)))
        _name(axes, "limit", (0.01, limit), "bad", (0, 3), xycoords="data")
    axes.axvline(now.threshold, color=colour("faint"), linewidth=1, linestyle=(0, (1, 2)))
    _name(axes, "now", (now.threshold, 1), "muted", (3, -9))
    if chosen is not None:
        axes.axvline(chosen.threshold, color=colour("s3"), linewidth=1.4)
        _name(axes, "chosen", (chosen.threshold, 1), "s3", (3, -20))
    axes.set_xlabel("threshold of pass labels' confidence")
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(1.15 * max(high), 1.2 * (limit or 0), 1e-4))
    axes.grid(True, axis="y")


def _name(
    axes: Axes,
    words: str,
    place: tuple[float, float],
    role: str,
    offset: tuple[int, int],
    *,
    xycoords: str = "",
) -> None:
    on_the_right = place[0] > 0.8
    axes.annotate(
        words,
        place,
        xycoords=xycoords or ("data", "axes fraction"),
        xytext=(-offset[0] if on_the_right else offset[0], offset[1]),
        textcoords="offset points",
        ha="right" if on_the_right else "left",
        fontsize=7.5,
        color=colour(role),
    )


def _against_each_other(
    axes: Axes, curve: Sequence[TunedPoint], chosen: TunedPoint | None, now: TunedPoint
) -> None:
    def place(point: TunedPoint) -> tuple[float, float]:
        return point.false_rejects.share or 0.0, point.escapes.share or 0.0

    axes.plot(*zip(*map(place, curve), strict=True), color=colour("ink"), linewidth=1.2)
    axes.plot(*place(now), "o", markersize=6, color=colour("faint"))
    _name(axes, "now", place(now), "muted", (7, 4), xycoords="data")
    if chosen is not None:
        (right, up), (low, high) = place(chosen), chosen.escapes.interval or (0.0, 0.0)
        axes.plot([right, right], [low, high], color=colour("s3"), linewidth=1.2)
        axes.plot(right, up, "o", markersize=7, color=colour("s3"))
        _name(axes, "chosen", (right, up), "s3", (7, -10), xycoords="data")
    axes.set_xlabel("good parts held back")
    axes.set_title("both, at each threshold")
    axes.set_ylabel("defects that escape")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(FuncFormatter(_percent))
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    axes.margins(0.06)
    axes.grid(True)


def _percent(value: float, _: object) -> str:
    return f"{100 * value:g} %"
