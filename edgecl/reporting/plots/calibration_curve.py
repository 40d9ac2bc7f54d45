"""Plot of accuracy against the number of calibration images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from markupsafe import Markup
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from edgecl.reporting.numbers import number, percent
from edgecl.reporting.plots.figure import HALF, panels, style, to_svg
from edgecl.reporting.plots.palette import colour

CurveRows = Sequence[Mapping[str, Any]]


def calibration_curve(curve: CurveRows, reference: float | None) -> Markup | None:
    """Plot each draw as a point, their mean as a line, their spread as a band; None without points.

    Args:
        curve: as in the details of `render_export`.
        reference: accuracy as trained, drawn as a dashed line; None where it is not known.
    """
    points = _points(curve)
    if not points:
        return None
    sizes = list(points)
    with style():
        figure, (axes,) = panels(1, width=HALF, height=3.2)
        if reference is not None:
            axes.axhline(reference, color=colour("faint"), linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(
                "as trained",
                (1, reference),
                xycoords=("axes fraction", "data"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="right",
                fontsize=7.5,
                color=colour("muted"),
            )
        axes.fill_between(
            sizes,
            [min(values) for values in points.values()],
            [max(values) for values in points.values()],
            color=colour("s1"),
            alpha=0.18,
            linewidth=0,
        )
        axes.plot(sizes, [fmean(values) for values in points.values()], color=colour("s1"))
        for size, values in points.items():
            axes.plot([size] * len(values), values, "o", markersize=3.5, color=colour("s1"))
        best = _enough(curve)
        if best is not None:
            axes.axvline(best, color=colour("s3"), linewidth=1.2)
            axes.annotate(
                "enough",
                (best, 0),
                xycoords=("data", "axes fraction"),
                xytext=(4, 5),
                textcoords="offset points",
                fontsize=7.5,
                color=colour("s3"),
            )
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(sizes))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        axes.margins(y=0.12)
        axes.set_xlabel("calibration images")
        axes.set_title("validation accuracy of INT8")
        axes.grid(True, axis="y")
        return to_svg(figure, "Accuracy of INT8 against the number of calibration images")


def curve_text(curve: CurveRows, reference: float | None) -> str:
    """Describe the curve in words; empty without points."""
    points = _points(curve)
    if not points:
        return ""
    most, values = list(points.items())[-1]
    draws = max(len(found) for found in points.values())
    text = f"Up to {draws} draw{'s' * (draws != 1)} of each size. "
    mean = fmean(values)
    text += f"With {most} images INT8 reaches {percent(mean, 2)}"
    text += f" on average; as trained: {percent(reference, 2)}." if reference else "."
    best = _enough(curve)
    if best is not None:
        text += f" {best} are enough: more images change nothing beyond chance."
    elif len(points) > 1:
        text += " No size is shown to be enough."
    return text


def _enough(curve: CurveRows) -> int | None:
    """The number of images that whoever measured the curve calls enough."""
    sizes = [number(entry.get("images")) for entry in curve if entry.get("enough")]
    return int(sizes[0]) if sizes and sizes[0] is not None else None


def _points(curve: CurveRows) -> dict[int, list[float]]:
    """Return the finite accuracies by number of images, ascending."""
    found: dict[int, list[float]] = {}
    for entry in curve:
        size = number(entry.get("images"))
        values = [
            value for value in map(number, entry.get("accuracies") or []) if value is not None
        ]
        if size is not None and size >= 1 and values:
            found.setdefault(int(size), []).extend(values)
    return dict(sorted(found.items()))
