"""Reliability diagram and its text: how far a prediction's confidence can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from edgecl.reporting.numbers import decimal, number, percent
from edgecl.reporting.plots.figure import HALF, stacked, style, to_svg
from edgecl.reporting.plots.palette import colour
from runtime.statistics import share_interval

FEW = 10
"""Number of images below which a bin is drawn hollow."""


@dataclass(frozen=True)
class Bin:
    """A bin with at least one image: its ends, its counts and its mean confidence."""

    low: float
    high: float
    count: int
    right: int
    confidence: float


_FIELDS = [field.name for field in fields(Bin)]


def reliability_plot(bins: Sequence[Bin]) -> Markup | None:
    """Accuracy over confidence with Wilson's band per bin, above the bins' sizes.

    None without an image.
    """
    if not bins:
        return None
    with style():
        figure, (above, below) = stacked((3.6, 0.9), width=HALF, height=4.9)
        above.plot([0, 1], [0, 1], color=colour("faint"), linewidth=1, linestyle=(0, (4, 3)))
        for entry in bins:
            _draw_bin(above, entry)
        above.set_ylim(0, 1.02)
        above.set_title("accuracy in the bin")
        above.grid(True)
        above.tick_params(labelbottom=False)
        above.yaxis.set_major_formatter(_PERCENT)
        _draw_counts(below, bins)
        below.set_xlim(0, 1)
        below.set_xlabel("confidence")
        below.xaxis.set_major_formatter(_PERCENT)
        return to_svg(_aligned(figure), "Reliability diagram, with the number of images per bin")


_PERCENT = FuncFormatter(lambda value, _: f"{100 * value:g} %")


def _aligned(figure: Figure) -> Figure:
    figure.align_ylabels()
    return figure


def _draw_bin(axes: Axes, entry: Bin) -> None:
    low, high = share_interval(entry.right, entry.count)
    width = entry.high - entry.low
    few = entry.count < FEW
    axes.add_patch(
        Rectangle(
            (entry.low + 0.06 * width, low),
            0.88 * width,
            high - low,
            facecolor=colour("s1"),
            alpha=0.1 if few else 0.22,
            linewidth=0,
        )
    )
    share = entry.right / entry.count
    gap = [share, entry.confidence]
    axes.plot([entry.confidence] * 2, gap, color=colour("s2"), linewidth=1.4, zorder=2.5)
    axes.plot(
        [entry.confidence],
        [share],
        "o",
        markersize=5.5,
        color=colour("s1"),
        markerfacecolor=colour("paper" if few else "s1"),
        markeredgewidth=1.4,
        zorder=3,
        clip_on=False,
    )


def _draw_counts(axes: Axes, bins: Sequence[Bin]) -> None:
    most = max(entry.count for entry in bins)
    for entry in bins:
        width = entry.high - entry.low
        axes.add_patch(
            Rectangle(
                (entry.low + 0.06 * width, 0),
                0.88 * width,
                entry.count,
                facecolor=colour("s1"),
                alpha=0.55,
                linewidth=0,
            )
        )
        axes.annotate(
            f"{entry.count}" if entry.count < 10_000 else f"{entry.count / 1000:.0f}k",
            ((entry.low + entry.high) / 2, entry.count),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=7,
            color=colour("muted"),
        )
    axes.set_ylim(0, most * 1.4)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_title("images in the bin", pad=4)


def reliability_bins(result: Mapping[str, Any]) -> list[Bin]:
    """The bins of result.json that hold images; those that make no sense are left out."""
    bins = []
    for entry in result.get("reliability") or []:
        if not isinstance(entry, Mapping):
            continue
        values = [number(entry.get(name)) for name in _FIELDS]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            continue
        low, high, count, right, confidence = known
        if low < high and 0 <= right <= count and count >= 1 and 0 <= confidence <= 1:
            bins.append(Bin(low, high, int(count), int(right), confidence))
    return bins


def leaning(bins: Sequence[Bin]) -> str:
    """Describe which way the confidences err overall; empty without an image."""
    total = sum(entry.count for entry in bins)
    if not total:
        return ""
    gap = sum(entry.count * entry.confidence - entry.right for entry in bins) / total
    if abs(gap) < 0.0005:
        return "neither overconfident nor underconfident"
    return f"{100 * abs(gap):.1f} points {'overconfident' if gap > 0 else 'underconfident'}"


def scores_text(result: Mapping[str, Any], bins: Sequence[Bin]) -> str:
    """The scores of the probabilities, in words."""
    scores = []
    for name, what, unit in (
        ("ece", "expected calibration error", ""),
        ("brier", "Brier score", " (from 0, the best, to 2)"),
        ("nll", "negative log-likelihood", " nats"),
    ):
        value = number(result.get(name))
        if value is not None:
            figure = percent(value) if name == "ece" else decimal(value)
            scores.append(f"{what} {figure}{unit}")
    text = ", ".join(scores)
    text = text[:1].upper() + text[1:] + "." if text else ""
    lean = leaning(bins)
    return f"{text} On average the predictions are {lean}.".strip() if lean else text
