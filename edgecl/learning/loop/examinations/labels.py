"""Labels of the train and the validation part that models which did not see them contradict."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgecl.learning.evaluation.suspects import (
    FEWEST_EXAMINED,
    MOST_LISTED,
    Suspect,
    surest_first,
    suspected,
    write_suspects,
)
from edgecl.learning.findings import SuspectFacts
from edgecl.learning.loop.answers import answer_tiles
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.model import Classifier
from edgecl.learning.teachers.choice import grouped_folds, out_of_fold
from edgecl.learning.teachers.classical import fit_discriminant

_PER_CLASS = 4


def examine_labels(
    setup: TrainingSetup,
    classifier: Classifier,
    combine: str,
    texture: NDArray[np.float32] | None,
) -> SuspectFacts | None:
    """Suspect labels, and write the folder of suspects.

    The train part is asked out of fold, by a linear discriminant on texture; the validation part
    is asked of the trained network, which only chose its epoch by it.

    Args:
        classifier: the trained network.
        combine: of the tiles' answers.
        texture: float32 N×D, descriptors of the train part; None where there are none.

    Returns:
        None where no part has enough images.

    Raises:
        DivergedError: an output is not finite.
        InputError: the folder cannot be written.
    """
    dataset, split = setup.prepared.dataset, setup.prepared.split
    found: list[Suspect] = []
    examined = 0
    if texture is not None and _are_enough(setup, split.train):
        setup.report("labels", 0, 1, "the train part, out of fold")
        targets = dataset.targets[split.train]
        groups = [dataset.groups[row] for row in split.train.tolist()]
        folds = grouped_folds(targets, groups, setup.config.seed)
        answers = out_of_fold(fit_discriminant, texture, targets, folds, len(dataset.labels))
        asked = answers.any(axis=1)  # none where the labels do not allow folds
        if asked.any():
            examined += int(asked.sum())
            found += suspected(answers[asked], targets[asked], split.train[asked], "train")
    if _are_enough(setup, split.validation):
        rows = split.validation
        network = answer_tiles(classifier, dataset.images[rows], setup.compute.device)
        logits = network.image_logits(combine, setup.monitor.passing).astype(np.float64)
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        examined += len(rows)
        found += suspected(shares.astype(np.float32), dataset.targets[rows], rows, "validation")
    if not examined:
        return None
    setup.report("labels", 1, 1, f"{len(found)} suspected")
    write_suspects(
        setup.run,
        surest_first(found),
        images=dataset.images,
        files=dataset.files,
        labels=dataset.labels,
    )
    return SuspectFacts(examined=examined, found=len(found), listed=min(len(found), MOST_LISTED))


def _are_enough(setup: TrainingSetup, rows: NDArray[np.int64]) -> bool:
    return len(rows) >= max(FEWEST_EXAMINED, _PER_CLASS * len(setup.prepared.dataset.labels))
