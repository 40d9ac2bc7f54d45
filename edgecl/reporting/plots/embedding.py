"""The test images on a plane, as near to each other as the network sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from edgecl.learning.documents import EmbeddingFacts
from edgecl.reporting.numbers import number
from edgecl.reporting.plots.figure import HALF, panels, style, to_svg
from edgecl.reporting.plots.legend import LegendEntry, point_entries, shape
from edgecl.reporting.plots.palette import colour, series
from edgecl.reporting.plots.point_labels import label_points

_MOST = 3000
"""Maximum number of points drawn, whatever the file holds."""


class MapPoint(NamedTuple):
    """An image's position: its file, its truth, and whether it was classified correctly."""

    file: str
    truth: str
    right: bool
    x: float
    y: float


def embedding_points(rows: Sequence[Mapping[str, str]], labels: Sequence[str]) -> list[MapPoint]:
    """The rows of embedding.csv that hold a place and one of the classes."""
    points = []
    known = set(labels)
    for row in rows[:_MOST]:
        try:
            x, y = number(float(row.get("x") or "")), number(float(row.get("y") or ""))
        except ValueError:
            continue
        truth = row.get("truth") or ""
        if x is None or y is None or truth not in known:
            continue
        points.append(MapPoint(row.get("file") or "", truth, truth == row.get("predicted"), x, y))
    return points


def embedding_plot(
    points: Sequence[MapPoint], labels: Sequence[str], ranks: Mapping[str, int]
) -> Markup | None:
    """A point per image in the colour of its class, mistakes ringed; None without points.

    Args:
        points: the places.
        labels: the classes, in the order of their colours.
        ranks: per file, the number to write beside it.
    """
    if not points:
        return None
    with style():
        figure, (axes,) = panels(1, width=HALF, height=4.9)
        for index, label in enumerate(labels):
            own = [point for point in points if point.truth == label]
            axes.plot(
                [point.x for point in own],
                [point.y for point in own],
                linestyle="none",
                marker=shape(index),
                markersize=3.6,
                markeredgewidth=0,
                color=series(index),
                alpha=0.8,
            )
        wrong = [point for point in points if not point.right]
        axes.plot(
            [point.x for point in wrong],
            [point.y for point in wrong],
            linestyle="none",
            marker="o",
            markersize=6.6,
            markerfacecolor="none",
            markeredgecolor=colour("ink"),
            markeredgewidth=0.8,
        )
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(True)
            side.set_color(colour("line"))
        axes.margins(0.06)
        axes.set_aspect("equal", adjustable="datalim")
        numbered = [point for point in wrong if point.file in ranks]
        label_points(
            axes,
            [(point.x, point.y) for point in numbered],
            [str(ranks[point.file]) for point in numbered],
            marks=[(point.x, point.y) for point in points],
            mark_radius=0.03,
            backed=True,
        )
        return to_svg(figure, "The test images' embeddings on a plane, coloured by class")


def embedding_legend(points: Sequence[MapPoint], labels: Sequence[str]) -> list[LegendEntry]:
    """An entry per class, and one for the rings."""
    entries = point_entries((label, "") for label in labels)
    if any(not point.right for point in points):
        entries.append(LegendEntry("ink", "ring", "misclassified"))
    return entries


def embedding_text(made: EmbeddingFacts | None, points: Sequence[MapPoint], numbered: bool) -> str:
    """Describe the plot, and what must not be read into it.

    Args:
        made: how; None where the run does not tell.
    """
    shown = len(points)
    which = (
        f"{shown} of {made.of} test images, drawn at random,"
        if made is not None and made.of > shown
        else f"The {shown} test images"
    )
    text = f"{which} by their embeddings, "
    perplexity = None if made is None else made.perplexity
    if made is not None and made.method == "PCA":
        text += (
            "on the first two principal components: differences in other directions are "
            "not visible."
        )
    else:
        scale = f", perplexity {perplexity:g}" if perplexity is not None else ""
        text += (
            f"laid out by t-SNE{scale}. Neighbours here are neighbours to the network; "
            "cluster sizes and distances between clusters mean little."
        )
    if numbered:
        text += " The numbers are those of the images above."
    return text
