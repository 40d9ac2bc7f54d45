"""The roofline: layers and whole graphs below what the machine can do at most."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from edgecl.reporting.plots.figure import HALF, panels, style, to_svg
from edgecl.reporting.plots.latency import Sides, unique
from edgecl.reporting.plots.palette import colour, series
from runtime.benchmark.layers.document import LayerTable
from runtime.benchmark.peaks.measuring import Peaks

_MARKERS = ("o", "D", "s", "^")


def roofline_plots(sides: Sides, peaks: Peaks) -> list[tuple[str, Markup]]:
    """Return a plot per bundle, by its name: speed against work per byte.

    A dot is a layer, as large as its share of the time; a large mark is the whole graph. Colour
    is the precision, shape the engine.
    """
    precisions = unique(side.precision for side in sides)
    engines = unique(side.engine for side in sides)
    found = []
    for name in unique(side.name for side in sides):
        own = [
            (side, side.layers)
            for side in sides
            if side.name == name and side.layers is not None and _points(side.layers).size
        ]
        if not own:
            continue
        with style():
            figure, (axes,) = panels(1, width=HALF, height=3.6)
            for side, layers in own:
                tint = series(precisions.index(side.precision))
                marker = _MARKERS[engines.index(side.engine) % len(_MARKERS)]
                label = " ".join((side.precision, side.engine, *side.shares))
                _layers(axes, layers, tint, marker, label)
            _roofs(axes, peaks)
            axes.set_xlabel("multiply-accumulates per byte moved")
            axes.set_title("GMAC/s")
            axes.grid(True)
            axes.legend(loc="lower right", fontsize=7.5, markerscale=0.8)
            found.append((name, to_svg(figure, f"Roofline of {name}: speed against work per byte")))
    return found


def _points(layers: LayerTable) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Work per byte, GMAC/s and share of the time, of the layers that multiply: N×3."""
    return np.array(
        [
            (row.macs / row.bytes, row.gmac_s, row.share)
            for row in layers.rows
            if row.macs and row.bytes and row.gmac_s
        ],
        np.float64,
    ).reshape(-1, 3)


def _layers(axes: Axes, layers: LayerTable, tint: str, marker: str, label: str) -> None:
    points = _points(layers)
    # A few sizes instead of one per layer: a path each, and not an element each.
    for low, high, size in ((0, 0.02, 2.4), (0.02, 0.08, 4.2), (0.08, 2, 6.5)):
        own = points[(points[:, 2] >= low) & (points[:, 2] < high)]
        if len(own):
            axes.plot(
                own[:, 0],
                own[:, 1],
                linestyle="none",
                marker=marker,
                markersize=size,
                color=tint,
                alpha=0.4,
                markeredgewidth=0,
            )
    macs, moved = layers.macs, layers.bytes
    if macs and moved and layers.total_ms:
        axes.plot(
            [macs / moved],
            [macs / layers.total_ms / 1e6],
            linestyle="none",
            marker=marker,
            markersize=9,
            color=tint,
            markeredgecolor=colour("ink"),
            markeredgewidth=1.1,
            label=label,
        )


def _roofs(axes: Axes, peaks: Peaks) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    left, right = axes.get_xlim()
    low, _ = axes.get_ylim()
    tops = [peak.gmac_s for peak in peaks.products]
    corner = max(tops, default=1.0) / peaks.copy_gb_s
    left, right = min(left, corner / 20), max(right, corner * 6)
    reach = np.geomspace(left, right, 80)
    for peak in peaks.products:
        axes.plot(
            reach,
            np.minimum(peak.gmac_s, reach * peaks.copy_gb_s),
            color=colour("ink"),
            linewidth=1.3,
        )
        axes.text(
            right,
            peak.gmac_s * 1.06,
            f"{peak.precision.upper()} {peak.gmac_s:.0f} ",
            ha="right",
            va="bottom",
            fontsize=8,
        )
    axes.text(
        left * 1.15,
        left * 1.15 * peaks.copy_gb_s * 1.5,
        f"{peaks.copy_gb_s:.3g} GB/s",
        fontsize=8,
        va="bottom",
    )
    axes.set_xlim(left, right)
    axes.set_ylim(max(low, max(tops, default=1.0) / 1e4), max(tops, default=1.0) * 2.2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(base=10, numticks=8))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
