"""Matplotlib figures as SVG inside a page, in the page's colours and font."""

from __future__ import annotations

import io
import itertools
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from edgecl.reporting.plots.palette import STAND_IN, colour

WIDE = 10.6
"""Width of a whole page in inches; half a page is `HALF`."""
HALF = 4.9

# Typed as Any: matplotlib's stubs take a dictionary of 300 literal keys and nothing else.
_SETTINGS: Any = {
    # Text stays text: it can be searched, selected and read aloud, and takes the page's font.
    # Matplotlib measures it in DejaVu Sans, which is wider than what browsers use, so what fits
    # here fits there.
    "svg.fonttype": "none",
    # A class may be called a$b$: that is a name, not mathematics.
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titlecolor": colour("ink"),
    "axes.titlepad": 8,
    "axes.labelsize": 8.5,
    "axes.labelcolor": colour("muted"),
    "axes.edgecolor": colour("faint"),
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": colour("line"),
    "grid.linewidth": 0.7,
    "figure.facecolor": "none",
    "text.color": colour("ink"),
    "xtick.color": colour("faint"),
    "ytick.color": colour("faint"),
    "xtick.labelcolor": colour("muted"),
    "ytick.labelcolor": colour("muted"),
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.width": 0.8,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "legend.frameon": True,
    "legend.facecolor": colour("paper"),
    "legend.edgecolor": "none",
    "legend.framealpha": 0.8,
    "legend.borderpad": 0.2,
    "legend.fontsize": 8.5,
}

_LONG = re.compile(r"(\d+\.\d\d)\d+")
_numbers = itertools.count(1)


@contextmanager
def style() -> Iterator[None]:
    """Give everything drawn inside the block the look of the pages."""
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        # A name in a script that the measuring font lacks is drawn by the browser all the same.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def panels(
    columns: int, *, width: float = WIDE, height: float = 2.6, sharey: bool = False
) -> tuple[Figure, Sequence[Axes]]:
    """A figure with a row of axes, outside pyplot's global state.

    Args:
        columns: how many axes.
        width: inches.
        height: inches.
        sharey: one vertical scale for all.
    """
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.04, wspace=0.02)
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)  # measures text, where labels have to be placed
    axes = figure.subplots(1, columns, sharey=sharey, squeeze=False)
    return figure, list(axes[0])


def stacked(
    heights: Sequence[float], *, width: float, height: float
) -> tuple[Figure, Sequence[Axes]]:
    """A figure with a column of axes over one horizontal scale.

    Args:
        heights: of the axes, from above, in proportion to each other.
        width: inches.
        height: inches, in all.
    """
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.04))
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=list(heights))
    return figure, list(axes[:, 0])


def to_svg(figure: Figure, description: str) -> Markup:
    """Render the figure for use inside a page.

    Args:
        figure: drawn within `style()`.
        description: what it shows, for those who do not see it.

    Returns:
        One `<svg>` element: ids unique among all figures of this process, stand-in colours
        replaced by the page's variables, and no address in it.
    """
    prefix = f"f{next(_numbers)}-"
    stream = io.StringIO()
    settings: Any = {"svg.hashsalt": prefix}
    with style(), mpl.rc_context(settings):
        FigureCanvasSVG(figure).print_svg(  # type: ignore[no-untyped-call]
            stream, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return Markup(_adapt(stream.getvalue(), prefix, description))


def _adapt(text: str, prefix: str, description: str) -> str:
    # The drawing is matplotlib's own output: labels inside it are escaped, so a `<` that the
    # patterns below look for is always markup.
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'\sid="', f' id="{prefix}', text)
    text = re.sub(r'\s(?:xlink:)?href="#', f' href="#{prefix}', text)
    text = text.replace("url(#", f"url(#{prefix}")
    text = re.sub(r"font: ((?:\w+ )*)([\d.]+)px [^;\"]*", r"font: \1\2px var(--font)", text)
    for name, stand_in in STAND_IN.items():
        text = text.replace(stand_in, f"var(--{name})")
    # A hundredth of a point is finer than any screen or printer, and halves the page.
    text = re.sub(r'(?<= d=")[^"]*', lambda path: _LONG.sub(r"\1", path[0]), text)
    text = re.sub(r'(?<= [xy]=")[\d.]+', lambda place: _LONG.sub(r"\1", place[0]), text)
    text = re.sub(r"\n\s*", "\n", text)
    opening = text[: text.index(">")]
    box = re.search(r'viewBox="([^"]+)"', opening)
    width = re.search(r'width="([\d.]+)pt"', opening)
    view = box[1] if box else "0 0 720 200"
    # 1 pt of the drawing is 4/3 px where the page has room for it.
    pixels = float(width[1] if width else view.split()[2]) * 4 / 3
    return (
        f'<svg viewBox="{view}" style="max-width: {pixels:.0f}px" role="img" '
        f'aria-label="{escape(description)}"' + text[text.index(">") :]
    )
