"""The curves of a training run, and its bars under camera shifts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from edgecl.learning.documents import EpochMeasures, RocCurve, RunResult
from edgecl.learning.findings import ShiftReport
from edgecl.reporting.numbers import number, percent
from edgecl.reporting.plots.figure import HALF, WIDE, panels, style, to_svg
from edgecl.reporting.plots.legend import LegendEntry, line_entries
from edgecl.reporting.plots.palette import colour, dash, series

Lines = Sequence[EpochMeasures]
Curves = Mapping[str, RocCurve]

FALSE_ALARMS_FROM = 1e-3
"""Left end of the logarithmic scale of the false alarms; what lies below is drawn there."""


def pretrain_plots(lines: Lines) -> list[Markup]:
    """Loss, and contrastive, probe and neighbour accuracy over the epochs; empty without lines."""
    if not lines:
        return []
    return [
        _curves(lines, "Contrastive loss", [("loss", "")]),
        _curves(
            lines,
            "Accuracy",
            [
                ("contrastive_accuracy", "contrastive"),
                ("probe_accuracy", "linear probe"),
                ("knn_accuracy", "nearest neighbours"),
            ],
        ),
    ]


def finetune_plots(lines: Lines, best_epoch: int | None) -> list[Markup]:
    """Loss and accuracy of the training and the validation part; empty without lines.

    Args:
        lines: fine-tuning epochs.
        best_epoch: the one to mark; one that is not among them marks none.
    """
    if not lines:
        return []
    return [
        _curves(
            lines,
            what.capitalize(),
            [(f"train_{what}", "training"), (f"val_{what}", "validation")],
            best_epoch,
        )
        for what in ("loss", "accuracy")
    ]


def roc_plot(curves: Curves) -> Markup | None:
    """A curve per class over logarithmic false alarms; None without curves.

    Args:
        curves: from `roc_curves`.
    """
    if not curves:
        return None
    with style():
        figure, (axes,) = panels(1, width=HALF, height=3.7)
        for index, curve in enumerate(curves.values()):
            axes.plot(
                [max(value, FALSE_ALARMS_FROM) for value in curve.fpr],
                curve.tpr,
                color=series(index),
                linestyle=dash(index),
                drawstyle="steps-post",
            )
        axes.set_xscale("log")
        axes.set_xlim(FALSE_ALARMS_FROM, 1)
        bottom = min(0.8, _lowest_found(curves))
        axes.set_ylim(bottom, 1 + 0.015 * (1 - bottom))
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        axes.set_xlabel("false alarm rate")
        axes.set_title("recall")
        axes.grid(True)
        return to_svg(figure, "ROC curve per class")


def roc_curves(result: RunResult) -> dict[str, RocCurve]:
    """The curves of a result that are whole, per label."""
    return {
        label: curve for label, curve in result.roc.items() if len(curve.fpr) == len(curve.tpr) > 0
    }


def roc_legend(curves: Curves, auc: Mapping[str, float | None]) -> list[LegendEntry]:
    """An entry per curve, with the area under it where `auc` has it."""
    areas = {label: number(auc.get(label)) for label in curves}
    return line_entries(
        (label, f"{area:.4f}" if area is not None else "") for label, area in areas.items()
    )


def shift_plot(report: ShiftReport) -> Markup:
    """Accuracy per camera shift, and beside it the escapes where they are known.

    A dashed line marks what the same images reach without a shift, which is the first bar.
    """
    places, place = [0.0], 0.0
    for before, shift in itertools.pairwise((None, *report.shifts)):
        place -= 1.0 if before is not None and shift and before.kind == shift.kind else 1.5
        places.append(place)
    names = ["no shift", *(shift.name for shift in report.shifts)]
    columns = [("accuracy", series(0), [shift.accuracy for shift in report.shifts])]
    unshifted = [report.accuracy]
    escapes = [shift.escapes for shift in report.shifts if shift.escapes is not None]
    if report.escapes is not None and len(escapes) == len(report.shifts):
        columns.append(("defects that pass", series(1), escapes))
        unshifted.append(report.escapes)
    width = HALF + (WIDE - HALF) * 0.75 * (len(columns) - 1)
    with style():
        figure, panes = panels(len(columns), width=width, height=4.3, sharey=True)
        for axes, (title, hue, values), without in zip(panes, columns, unshifted, strict=True):
            shares = [without, *values]
            axes.barh(places, shares, height=0.72, color=hue, alpha=0.75, linewidth=0)
            axes.axvline(without, color=colour("ink"), linewidth=0.9, linestyle=(0, (4, 3)))
            for y, share in zip(places, shares, strict=True):
                axes.annotate(
                    percent(share),
                    (1, y),
                    xycoords=("axes fraction", "data"),
                    ha="right",
                    va="center",
                    fontsize=7.5,
                    color=colour("muted"),
                )
            axes.set_title(title)
            axes.set_xlim(0, max(0.05, 1.2 * max(shares)))  # room for the numbers
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
            axes.xaxis.set_major_formatter(
                FuncFormatter(lambda value, _: f"{100 * value:g} %" if value <= 1 else "")
            )
            axes.grid(True, axis="x")
        panes[0].set_yticks(places, names)
        panes[0].margins(y=0.02)
        return to_svg(figure, "Accuracy under each camera shift, beside that without a shift")


def _lowest_found(curves: Curves) -> float:
    """Return the start of the vertical scale: below every curve's share at the left end."""
    found = [
        max((t for f, t in zip(curve.fpr, curve.tpr, strict=True) if f <= FALSE_ALARMS_FROM))
        if min(curve.fpr) <= FALSE_ALARMS_FROM
        else 0.0
        for curve in curves.values()
    ]
    return max(0.0, int(min(found) * 10) / 10)


def _curves(
    lines: Lines, title: str, keys: Sequence[tuple[str, str]], best_epoch: int | None = None
) -> Markup:
    """One panel: (key, name) per curve; the best epoch is marked on the last one."""
    with style():
        figure, (axes,) = panels(1, width=HALF)
        for index, (key, name) in enumerate(keys):
            _curve(axes, lines, key, index, name)
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.margins(x=0.02)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
        axes.grid(True, axis="y")
        accuracy = "ccuracy" in title
        if accuracy:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
            axes.set_ylim(top=1.005)
        elif axes.lines:
            axes.set_ylim(bottom=0)
        if len(axes.get_legend_handles_labels()[1]) > 1:
            axes.legend(loc="best", handlelength=1.4)
        _mark_best(axes, lines, keys[-1][0], best_epoch)
        return to_svg(figure, f"{title} per epoch")


def _points(lines: Lines, key: str) -> tuple[list[float], list[float]]:
    """Epochs and values, without the epochs that have none."""
    pairs = [(float(line.epoch), number(getattr(line, key))) for line in lines]
    kept = [(epoch, value) for epoch, value in pairs if value is not None]
    return [epoch for epoch, _ in kept], [value for _, value in kept]


def _curve(axes: Axes, lines: Lines, key: str, index: int, name: str) -> None:
    epochs, values = _points(lines, key)
    if not epochs:
        return
    # A probe every few epochs, or a single epoch, needs its points to be seen.
    marker = "o" if len(epochs) < 12 else None
    axes.plot(
        epochs, values, color=series(index), marker=marker, markersize=3.5, label=name or None
    )


def _mark_best(axes: Axes, lines: Lines, key: str, best_epoch: int | None) -> None:
    points = dict(zip(*_points(lines, key), strict=True))
    if best_epoch is None or best_epoch not in points:
        return
    epoch = float(best_epoch)
    axes.axvline(epoch, color=colour("faint"), linewidth=0.8, linestyle=(0, (3, 3)), zorder=0.5)
    axes.plot([epoch], [points[epoch]], "o", color=series(1), markersize=5.5, zorder=5)
    low, high = axes.get_xlim()
    leftwards = epoch > (low + high) / 2
    axes.annotate(
        f"best, epoch {epoch:.0f}",
        (epoch, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if leftwards else 4, 2),
        textcoords="offset points",
        ha="right" if leftwards else "left",
        va="bottom",
        color=colour("muted"),
        fontsize=8,
    )
