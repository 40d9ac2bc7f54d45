"""Reliability diagram and its text: how far a prediction's confidence can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from edgecl.learning.documents import ReliabilityRow, RunResult
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


def reliability_bins(rows: Sequence[ReliabilityRow]) -> list[Bin]:
    """The bins of a result that hold images; those that make no sense are left out."""
    bins = []
    for row in rows:
        confidence = number(row.confidence)
        if confidence is None or not 0 <= confidence <= 1:
            continue
        if row.low < row.high and 0 <= row.right <= row.count and row.count >= 1:
            bins.append(Bin(row.low, row.high, row.count, row.right, confidence))
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


def scores_text(result: RunResult, bins: Sequence[Bin]) -> str:
    """The scores of the probabilities, in words."""
    scores = []
    if number(result.ece) is not None:
        scores.append(f"expected calibration error {percent(result.ece)}")
    if number(result.brier) is not None:
        scores.append(f"Brier score {decimal(result.brier)} (from 0, the best, to 2)")
    if number(result.nll) is not None:
        scores.append(f"negative log-likelihood {decimal(result.nll)} nats")
    text = ", ".join(scores)
    text = text[:1].upper() + text[1:] + "." if text else ""
    lean = leaning(bins)
    return f"{text} On average the predictions are {lean}.".strip() if lean else text
