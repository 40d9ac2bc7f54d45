"""Calibration images of INT8, and those of the curve over their number."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from calibration.images import require_untested
from calibration.record import CalibrationRecord, rows_of_record
from calibration.selection import order_stratified, select
from export.gate.answers import trained_answers
from export.job import DataPart, Int8Choices
from runtime.progress import StageProgress

MOST_CANDIDATES = 4096
"""Number of random images considered for coverage; more would take minutes."""
CURVE_IMAGES = 512
"""Largest size of the curve, unless more images calibrate."""


@dataclass(frozen=True)
class CalibrationImages:
    """Images that calibrate.

    Args:
        part: the images.
        selection: how they were chosen.
        note: what a reader must know of them; may be empty.
        curve: the images of the curve, in the order of chance; None where none is asked for.
    """

    part: DataPart
    selection: str
    note: str
    curve: DataPart | None = None


def choose_images(
    choices: Int8Choices,
    candidates: DataPart,
    test: DataPart,
    classifier: nn.Module,
    *,
    seed: int,
    report: StageProgress,
) -> CalibrationImages:
    """Take those of an earlier calibration, or choose as the user asked.

    Args:
        candidates: the images to choose from, one tile of each.
        test: the part that must not be among them.
        classifier: what is exported; its embeddings spread the images where coverage is asked for.

    Raises:
        InputError: too few images, one of the test part, or one of an earlier calibration is gone.
    """
    found = (
        _repeated(choices.repeated, candidates)
        if choices.repeated is not None
        else _selected(choices, candidates, classifier, seed, report)
    )
    require_untested(found.part.files, found.part.hashes, test.hashes)
    if not choices.curve:
        return found
    order = order_stratified(candidates.targets, np.random.default_rng(seed))
    curve = candidates.take(order[: max(choices.images, CURVE_IMAGES)])
    return replace(found, curve=curve)


def _repeated(record: CalibrationRecord, candidates: DataPart) -> CalibrationImages:
    rows = rows_of_record(record, candidates.files, candidates.hashes)
    return CalibrationImages(candidates.take(rows), record.selection, record.note)


def _selected(
    choices: Int8Choices,
    candidates: DataPart,
    classifier: nn.Module,
    seed: int,
    report: StageProgress,
) -> CalibrationImages:
    rng = np.random.default_rng(seed)
    embeddings = None
    if choices.selection == "coverage":
        if len(candidates) > MOST_CANDIDATES:
            rows = np.sort(rng.permutation(len(candidates))[:MOST_CANDIDATES])
            candidates = candidates.take(rows)
        report("calibrate", 0, 1, f"embeddings of {len(candidates)} images")
        embeddings = trained_answers(classifier, candidates.images).embedding
    selected = select(
        choices.selection,
        choices.images,
        targets=candidates.targets,
        embeddings=embeddings,
        rng=rng,
    )
    return CalibrationImages(candidates.take(selected.rows), choices.selection, selected.note)
