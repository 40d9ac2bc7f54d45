"""The most confident mistakes, and the files that a run directory keeps of them.

This is the only place that chooses them, so it needs neither torch nor a run: the page of a run
that kept no images ranks the rows of predictions.csv with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecl.data.pixels.selection import ImageRows
from runtime.files.atomic import replacing_folder
from runtime.files.table import new_table
from runtime.image.thumbnail import thumbnail

MISTAKES = "mistakes"
TABLE = "mistakes.csv"
COLUMNS = ("rank", "file", "truth", "predicted", "confidence", "truth_probability")
SHOWN = 12


def most_confident_mistakes(
    truth: Sequence[str], predicted: Sequence[str], confidence: Sequence[float]
) -> list[int]:
    """Rows that were misclassified, the most confident prediction first.

    Args:
        truth: N labels.
        predicted: N labels.
        confidence: N probabilities of the answers; a NaN comes last.

    Returns:
        Row numbers; equal confidences stay in the order of the rows.
    """
    wrong = [row for row, label in enumerate(truth) if label != predicted[row]]
    keys = [-math.inf if math.isnan(value) else value for value in confidence]
    return sorted(wrong, key=lambda row: -keys[row])


def image_name(rank: int) -> str:
    """The file of the mistake of this rank, from 1. A data set's own names need not be safe."""
    return f"{rank:02d}.png"


def write_mistakes(
    run: Path,
    *,
    images: ImageRows,
    files: Sequence[str],
    targets: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    labels: Sequence[str],
) -> None:
    """Write the folder `mistakes`: up to 12 small images, and a table of them.

    The whole folder is replaced, so nothing of an earlier try stays; without a mistake its table
    has no rows.

    Args:
        images: uint8, N×H×W, as the network sees them, or of any size.
        files: N names.
        targets: int64, N.
        probabilities: float32, N×C.
        labels: C names.

    Raises:
        InputError: the folder cannot be written.
    """
    answers = probabilities.argmax(1)
    rows = most_confident_mistakes(
        [labels[target] for target in targets.tolist()],
        [labels[answer] for answer in answers.tolist()],
        probabilities.max(1).tolist(),
    )[:SHOWN]
    shown = list(images[np.array(rows, np.int64)])
    with (
        replacing_folder(run / MISTAKES) as folder,
        new_table(folder / TABLE) as write_row,
    ):
        write_row(COLUMNS)
        for rank, row in enumerate(rows, start=1):
            _, encoded = cv2.imencode(".png", thumbnail(shown[rank - 1]))
            (folder / image_name(rank)).write_bytes(encoded.tobytes())
            target, answer = int(targets[row]), int(answers[row])
            write_row(
                [
                    rank,
                    files[row],
                    labels[target],
                    labels[answer],
                    *(f"{probabilities[row, column]:.6f}" for column in (answer, target)),
                ]
            )
