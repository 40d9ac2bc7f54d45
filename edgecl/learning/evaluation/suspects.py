"""Labels that are probably wrong: the images that a model which never saw them calls otherwise.

Rule: Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
JAIR 70, 2021: a class is confident of an image from its own mean probability on, over the images
that bear its label. An image is suspected where another class is confident and its own label
improbable. Probabilities are calibrated first (one temperature: Guo et al., ICML 2017); those of a
discriminant in many dimensions are all but 0 and 1, and the threshold would say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecl.data.pixels.selection import ImageRows
from edgecl.learning.evaluation.mistakes import image_name
from runtime.files.atomic import replacing_folder
from runtime.files.table import new_table
from runtime.image.thumbnail import thumbnail

SUSPECTS = "suspects"
SUSPECTS_TABLE = "suspects.csv"
SUSPECTS_COLUMNS = (
    "rank",
    "file",
    "part",
    "given",
    "suggested",
    "given_probability",
    "suggested_probability",
)
MOST_LISTED = 24
FEWEST_EXAMINED = 100
"""Images of a part below which none is suspected: a model of fewer is too weak to accuse."""
IMPROBABLE = 0.05
"""Largest probability of the given label of a suspected image."""

_TEMPERATURES = np.geomspace(0.25, 64, 97)
_SMALLEST = 1e-30


@dataclass(frozen=True)
class Suspect:
    """Image whose label is probably wrong.

    Args:
        row: of the image.
        part: of the split, by name.
        given, suggested: class numbers.
        given_probability, suggested_probability: 0 to 1.
    """

    row: int
    part: str
    given: int
    suggested: int
    given_probability: float
    suggested_probability: float

    @property
    def ratio(self) -> float:
        """Factor by which the suggested label is more probable."""
        return self.suggested_probability / max(self.given_probability, _SMALLEST)


def suspected(
    probabilities: NDArray[np.float32],
    targets: NDArray[np.int64],
    rows: NDArray[np.int64],
    part: str,
) -> list[Suspect]:
    """Return the images whose label is probably wrong, the surest first.

    Args:
        probabilities: float32 N×C, of a model that saw none of the images.
        targets, rows: int64 N, the given labels, and the images' rows.
        part: that the images are of.
    """
    shares = calibrated(probabilities, targets)
    classes, place = shares.shape[1], np.arange(len(targets))
    given = shares[place, targets]
    sums = np.bincount(targets, weights=given, minlength=classes)
    counts = np.bincount(targets, minlength=classes)
    # A class without images is confident of none.
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    best = shares.argmax(1)
    found = (best != targets) & (shares[place, best] >= thresholds[best]) & (given <= IMPROBABLE)
    listed = [
        Suspect(
            row=int(rows[at]),
            part=part,
            given=int(targets[at]),
            suggested=int(best[at]),
            given_probability=float(given[at]),
            suggested_probability=float(shares[at, best[at]]),
        )
        for at in np.flatnonzero(found).tolist()
    ]
    return surest_first(listed)


def surest_first(suspects: Sequence[Suspect]) -> list[Suspect]:
    """Sort by how much more probable the suggested label is; equal ones by row."""
    return sorted(suspects, key=lambda suspect: (-suspect.ratio, suspect.row))


def calibrated(
    probabilities: NDArray[np.float32], targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return float64 N×C: probabilities to the power of 1/T that fits the labels best.

    Args:
        probabilities: float32 N×C.
        targets: int64 N.
    """
    logs = np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))

    def at(temperature: float) -> NDArray[np.float64]:
        scaled = (logs - logs.max(1, keepdims=True)) / temperature
        return np.asarray(scaled - np.log(np.exp(scaled).sum(1, keepdims=True)))

    place = np.arange(len(targets))
    best = max(_TEMPERATURES, key=lambda value: float(at(value)[place, targets].mean()))
    return np.asarray(np.exp(at(best)), np.float64)


def write_suspects(
    run: Path,
    suspects: Sequence[Suspect],
    *,
    images: ImageRows,
    files: Sequence[str],
    labels: Sequence[str],
) -> None:
    """Write the folder `suspects`: up to 24 small images, and a table of them.

    The whole folder is replaced; where nothing is suspected its table has no rows.

    Args:
        suspects: in the order of the table.
        images, files: of the rows that they name.
        labels: C names.

    Raises:
        InputError: the folder cannot be written.
    """
    shown = suspects[:MOST_LISTED]
    pixels = list(images[np.array([suspect.row for suspect in shown], np.int64)])
    with (
        replacing_folder(run / SUSPECTS) as folder,
        new_table(folder / SUSPECTS_TABLE) as write_row,
    ):
        write_row(SUSPECTS_COLUMNS)
        for rank, (suspect, image) in enumerate(zip(shown, pixels, strict=True), start=1):
            _, encoded = cv2.imencode(".png", thumbnail(image))
            (folder / image_name(rank)).write_bytes(encoded.tobytes())
            write_row(
                [
                    rank,
                    files[suspect.row],
                    suspect.part,
                    labels[suspect.given],
                    labels[suspect.suggested],
                    f"{suspect.given_probability:.6f}",
                    f"{suspect.suggested_probability:.6f}",
                ]
            )
