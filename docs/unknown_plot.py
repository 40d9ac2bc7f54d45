"""Plot of unknown defects, drawn from the table of its page: `python -m docs.unknown_plot`."""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

PAGE = Path(__file__).parent / "results/unknown.md"
IMAGE = Path(__file__).parent / "images/unknown.png"

SIDES = {"distance, in use": ("#1f6feb", 3, 0.14), "1 − confidence": ("#8a8f98", 6, -0.14)}
"""Colour of each side, its column in the table, and its place beside the class's line."""

_SHARE = re.compile(r"([\d.]+) % \(([\d.]+) to ([\d.]+)\)")


def caught_shares(text: str, column: int) -> dict[str, tuple[float, float, float]]:
    """Read a column of the table of classes that were left out.

    Args:
        text: the page.
        column: counted from 0, of those between the bars.

    Returns:
        Share, low and high end of its interval in percent, by class.

    Raises:
        ValueError: there is no such table.
    """
    rows = re.findall(r"^\| Left out .*\n\|[-|]*\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    if len(rows) != 1:
        raise ValueError(f"{len(rows)} tables of classes that were left out, not one")
    found = {}
    for row in rows[0].splitlines():
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        match = _SHARE.fullmatch(cells[column])
        if match is None:
            raise ValueError(f"{cells[column]!r} is not a share with its interval")
        found[cells[0]] = (float(match[1]), float(match[2]), float(match[3]))
    return found


def main() -> None:
    """Write the image."""
    text = PAGE.read_text(encoding="utf-8")
    figure = Figure((7.2, 2.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    names: list[str] = []
    for side, (colour, column, beside) in SIDES.items():
        shares = caught_shares(text, column)
        names = names or sorted(shares, key=lambda name: shares[name][0])
        at = [names.index(name) + beside for name in names]
        middle = [shares[name][0] for name in names]
        low = [shares[name][0] - shares[name][1] for name in names]
        high = [shares[name][2] - shares[name][0] for name in names]
        axes.errorbar(middle, at, xerr=(low, high), fmt="o", color=colour, label=side, markersize=5)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(-1, 100)
    axes.set_xlabel("images of the class called unknown, % (95 % interval)")
    axes.grid(axis="x", color="#e4e6ea")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(IMAGE, dpi=150, facecolor="white", metadata={"Software": ""})


if __name__ == "__main__":
    main()
