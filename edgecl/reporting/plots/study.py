"""Accuracy against the share of labels, a panel per encoder."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from edgecl.reporting.plots.figure import HALF, panels, style, to_svg
from edgecl.reporting.plots.palette import dash, series
from edgecl.study.documents import ConditionFigures
from edgecl.study.grid import Condition

NAMES = {"none": "no pretraining", "simclr": "SimCLR", "nnclr": "NNCLR"}
# Curves stand side by side at one share, so that their bands do not cover each other.
SHIFT = 1.05


def label_curves(conditions: Sequence[ConditionFigures]) -> list[Markup]:
    """A plot per encoder that was evaluated with several shares; bars are 95 % intervals."""
    grouped = [entry for entry in conditions if entry.protocol == "grouped"]
    plots = []
    for encoder in dict.fromkeys(entry.encoder for entry in grouped):
        entries = [entry for entry in grouped if entry.encoder == encoder]
        shares = sorted({entry.label_share for entry in entries})
        if len(shares) < 2:
            continue
        with style():
            figure, (axes,) = panels(1, width=HALF, height=3.4)
            _draw(axes, entries, shares)
            axes.set_title(f"{encoder}: accuracy by labels")
            figure.legend(loc="outside lower left", ncols=2, handlelength=1.8, columnspacing=1.6)
            plots.append(to_svg(figure, f"Accuracy of {encoder} by the share of labels"))
    return plots


def other_views(entry: ConditionFigures | Condition) -> str:
    """Name the views where nothing else tells them: without pretraining, when not SimCLR's."""
    return "NNCLR's views" if entry.method == "none" and entry.views == "crop" else ""


def _name(entry: ConditionFigures) -> str:
    if entry.method == "none":
        return ", ".join(filter(None, (NAMES["none"], other_views(entry))))
    return f"{NAMES.get(entry.method, entry.method)}, {entry.arm}"


def _draw(axes: Axes, entries: Sequence[ConditionFigures], shares: Sequence[float]) -> None:
    kinds = list(dict.fromkeys(map(_name, entries)))
    for index, kind in enumerate(kinds):
        own = sorted(
            (entry for entry in entries if _name(entry) == kind),
            key=lambda entry: entry.label_share,
        )
        accuracy = [entry.accuracy for entry in own]
        values = [point.value for point in accuracy]
        axes.errorbar(
            [entry.label_share * SHIFT ** (index - (len(kinds) - 1) / 2) for entry in own],
            values,
            yerr=[
                [point.value - point.low for point in accuracy],
                [point.high - point.value for point in accuracy],
            ],
            color=series(index),
            linestyle=dash(index),
            marker="o",
            markersize=4,
            elinewidth=1,
            label=kind,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(shares)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axes.set_xlabel("share of labels used in fine-tuning")
    axes.grid(True, axis="y")
