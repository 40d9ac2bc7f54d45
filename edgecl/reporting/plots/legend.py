"""Legends as part of the page, not of the plot: there long names wrap, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from edgecl.reporting.plots.palette import SERIES

SHAPES = ("o", "s", "D", "^")
"""Matplotlib's markers, one for each time that the colours repeat."""

_SHAPE_NAMES = ("disc", "square", "diamond", "triangle")
_DASH_NAMES = ("solid", "dashed", "dotted", "dashdot")


class LegendEntry(NamedTuple):
    """A line of a legend.

    Args:
        role: the colour's name in the stylesheet.
        mark: the class of its sign in the stylesheet.
        label: what it stands for.
        more: a figure beside it; may be empty.
    """

    role: str
    mark: str
    label: str
    more: str = ""


def shape(number: int) -> str:
    """The marker of the `number`-th series: a disc until the colours repeat."""
    return SHAPES[number // len(SERIES) % len(SHAPES)]


def point_entries(labels: Iterable[tuple[str, str]]) -> list[LegendEntry]:
    """Entries for points drawn in `series` and `shape`, from (label, more)."""
    return [
        LegendEntry(
            SERIES[number % len(SERIES)],
            _SHAPE_NAMES[number // len(SERIES) % len(_SHAPE_NAMES)],
            *texts,
        )
        for number, texts in enumerate(labels)
    ]


def line_entries(labels: Iterable[tuple[str, str]]) -> list[LegendEntry]:
    """Entries for lines drawn in `series` and `dash`, from (label, more)."""
    return [
        LegendEntry(
            SERIES[number % len(SERIES)],
            "line " + _DASH_NAMES[number // len(SERIES) % len(_DASH_NAMES)],
            *texts,
        )
        for number, texts in enumerate(labels)
    ]
