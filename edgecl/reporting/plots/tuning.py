"""Plots of a tuning: both errors against the threshold, and against each other."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from edgecl.reporting.plots.figure import panels, style, to_svg
from edgecl.reporting.plots.palette import colour
from edgecl.tuning.documents import TunedPoint, TunedShare

_KINDS = (("escapes", "s2", "defects that escape"), ("false_rejects", "s1", "good parts held back"))


def tuning_plot(
    curve: Sequence[TunedPoint], chosen: TunedPoint | None, now: TunedPoint, limit: float | None
) -> Markup:
    """Plot escapes and false rejects with their intervals.

    Args:
        curve: ascending.
        limit: share that the rule allows; None without a rule.
    """
    with style():
        figure, (left, right) = panels(2, height=3.4)
        _against_threshold(left, curve, chosen, now)
        _against_each_other(right, curve, chosen, now)
        if limit is not None:
            left.axhline(limit, color=colour("faint"), linewidth=1, linestyle=(0, (4, 3)))
        return to_svg(
            figure, "Escapes and false rejects against the threshold, and against each other"
        )


def _against_threshold(
    axes: Axes, curve: Sequence[TunedPoint], chosen: TunedPoint | None, now: TunedPoint
) -> None:
    places = [point.threshold for point in curve]
    for name, role, text in _KINDS:
        shares: list[TunedShare] = [getattr(point, name) for point in curve]
        if shares[0].interval is None:
            continue
        low, high = zip(*(share.interval or (0.0, 0.0) for share in shares), strict=True)
        axes.fill_between(places, low, high, color=colour(role), alpha=0.16, linewidth=0)
        axes.plot(places, [share.share or 0.0 for share in shares], color=colour(role), label=text)
    axes.axvline(now.threshold, color=colour("faint"), linewidth=1, linestyle=(0, (1, 2)))
    axes.annotate(
        "now", (now.threshold, 1), xycoords=("data", "axes fraction"), xytext=(3, -9),
        textcoords="offset points", fontsize=7.5, color=colour("muted"),
    )  # fmt: skip
    if chosen is not None:
        axes.axvline(chosen.threshold, color=colour("s3"), linewidth=1.4)
        axes.annotate(
            "chosen", (chosen.threshold, 1), xycoords=("data", "axes fraction"), xytext=(-3, -20),
            textcoords="offset points", ha="right", fontsize=7.5, color=colour("s3"),
        )  # fmt: skip
    axes.set_xlabel("threshold of pass labels' confidence")
    axes.set_title("share of groups, with 95 % intervals")
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.grid(True, axis="y")
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, 0.9))


def _against_each_other(
    axes: Axes, curve: Sequence[TunedPoint], chosen: TunedPoint | None, now: TunedPoint
) -> None:
    def place(point: TunedPoint) -> tuple[float, float]:
        return point.false_rejects.share or 0.0, point.escapes.share or 0.0

    axes.plot(*zip(*map(place, curve), strict=True), color=colour("ink"), linewidth=1.2)
    axes.plot(*place(now), "o", markersize=6, color=colour("faint"))
    axes.annotate("now", place(now), xytext=(7, 4), textcoords="offset points", fontsize=7.5)
    if chosen is not None:
        (right, up), (low, high) = place(chosen), chosen.escapes.interval or (0.0, 0.0)
        axes.plot([right, right], [low, high], color=colour("s3"), linewidth=1.2)
        axes.plot(right, up, "o", markersize=7, color=colour("s3"))
        axes.annotate(
            "chosen", (right, up), xytext=(7, -10), textcoords="offset points", fontsize=7.5,
            color=colour("s3"),
        )  # fmt: skip
    axes.set_xlabel("good parts held back")
    axes.set_title("defects that escape")
    axes.xaxis.set_major_formatter(FuncFormatter(_percent))
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    axes.margins(0.06)
    axes.grid(True)


def _percent(value: float, _: object) -> str:
    return f"{100 * value:g} %"
