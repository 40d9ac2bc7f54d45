"""Contact sheet of the images to label next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecl.picking.documents import DOUBTFUL, PickSummary
from edgecl.reporting.page import write_page
from edgecl.reporting.pages.sections.mistakes import are_wide, image_of
from runtime.counting import counted
from runtime.image.folder.notes import shown
from runtime.image.thumbnail import thumbnail

PAGE = "picked.html"
_PIXELS = 120 * 120
_LONGEST = 300

_TEXTS = {
    DOUBTFUL: "The model is least sure of these, and they differ from one another. Below each "
    "image are the two classes that it hesitates between, and the margin between their "
    "probabilities.",
    "": "Each is the most typical image of its cluster: the one nearest to its neighbours. "
    "Clusters with the fewest labels come first, and of these the largest.",
}


def picking_page(folder: Path, summary: PickSummary, images: Sequence[NDArray[np.uint8]]) -> Path:
    """Write `picked.html` into the folder of a pick.

    Args:
        folder: where it is written; its name is taken from `summary.out`.
        images: uint8, K of any size, as the summary names them.

    Returns:
        The page's path.

    Raises:
        InputError: the folder cannot be written.
    """
    cards = [
        {
            "rank": row.rank,
            "file": shown(row.file),
            "reason": row.reason,
            "margin": row.margin,
            "image": _small(image),
        }
        for row, image in zip(summary.picked, images, strict=True)
    ]
    return write_page(
        "picking.html",
        folder / PAGE,
        name=Path(summary.out).absolute().name,
        subtitle=f"{counted(len(cards), 'image')} to label · {summary.rule}",
        figures=_figures(summary),
        text=_TEXTS.get(summary.way, _TEXTS[""]),
        cards=cards,
        wide=are_wide(cards),
        notes=[shown(note) for note in summary.notes],
        source=shown(Path(summary.out).name),
    )


def _figures(summary: PickSummary) -> list[tuple[str, str, str]]:
    figures = [
        ("Picked", str(len(summary.picked)), f"of {summary.images:,} images"),
        ("Clusters", str(summary.clusters), "of all images together"),
        ("Labelled already", str(summary.labelled), f"{summary.classes} classes"),
        ("Copies", str(summary.copies), "of labelled or other images, passed over"),
    ]
    if summary.model:
        figures.append(("Margins of", "a model", shown(summary.model)))
    return figures


def _small(image: NDArray[np.uint8]) -> dict[str, Any] | None:
    small = thumbnail(image, pixels=_PIXELS, longest=_LONGEST)
    return image_of(cv2.imencode(".png", small)[1].tobytes())
