"""Test part as a drifting camera would take it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgecl.data.pixels.selection import ImageRows
from edgecl.learning.evaluation.shifts import measure_shifts
from edgecl.learning.findings import ShiftReport
from edgecl.learning.loop.answers import answer_tiles
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.model import Classifier


def ask_under_drift(
    setup: TrainingSetup, classifier: Classifier, combine: str, unshifted: NDArray[np.int64]
) -> ShiftReport:
    """Ask the classifier for shifted test images.

    Args:
        combine: of the tiles' answers.
        unshifted: int64 N, its answers to the test part as it is.

    Raises:
        DivergedError: an output is not finite.
    """
    dataset, test = setup.prepared.dataset, setup.prepared.split.test
    passing, device = setup.monitor.passing, setup.compute.device

    def answer(images: ImageRows) -> NDArray[np.int64]:
        logits = answer_tiles(classifier, images, device).image_logits(combine, passing)
        return np.asarray(logits.argmax(1), np.int64)

    return measure_shifts(
        dataset.images[test],
        dataset.targets[test],
        unshifted,
        answer,
        passing=passing,
        seed=setup.config.seed,
        progress=lambda done, total, text: setup.report("drift", done, total, text),
    )
