"""Images that a model doubts: what to label once there are labels enough to ask one.

The least margins alone would all lie at one border, in near copies of one another. So many more
than are wanted are clustered, and each cluster gives one: Zhdanov, "Diverse mini-batch Active
Learning", 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecl.learning.teachers.choice import MODELS, compare_candidates
from edgecl.learning.teachers.classical import answers
from edgecl.picking.typical import AreCopies, find_clusters, pick_by_cluster

ENOUGH = 10
"""Labelled images per class, on average, from which a model's doubts are asked for."""

SHORTLIST = 10
"""Doubtful images per image wanted, among which clusters are made."""

MOST_LEARNT = 5000
"""Labelled images that a model learns from at most."""

_ROWS = 8192


@dataclass(frozen=True)
class Answers:
    """Answers of a model to all images.

    Args:
        model: its name.
        labels: class names.
        probabilities: float32, N×C.
    """

    model: str
    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]

    def margins(self) -> NDArray[np.float64]:
        """Return the differences of the two most probable classes, float64 N, 0 to 1."""
        best = np.sort(self.probabilities.astype(np.float64), axis=1)
        return np.asarray(best[:, -1] - best[:, -2], np.float64)

    def between(self, row: int) -> tuple[str, str]:
        """Return the two most probable classes of an image."""
        first, second = np.argsort(-self.probabilities[row], kind="stable")[:2]
        return self.labels[first], self.labels[second]


def enough_labels(targets: NDArray[np.int64]) -> bool:
    """Whether a model that learnt from these labels may be asked for its doubts.

    Args:
        targets: int64, class numbers of the labelled images.
    """
    classes = len(np.unique(targets))
    return classes > 1 and len(targets) >= ENOUGH * classes


def learn_and_answer(
    features: NDArray[np.float32],
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    labels: tuple[str, ...],
    *,
    seed: int,
) -> Answers:
    """Fit the model that answers best out of fold for the labelled images, and ask it for all.

    Args:
        features: float32, N×D, of all images.
        rows, targets: int64, M each: the labelled images and their classes.
        labels: C names.
    """
    if len(rows) > MOST_LEARNT:
        drawn = np.random.default_rng(seed).choice(len(rows), MOST_LEARNT, replace=False)
        rows, targets = rows[np.sort(drawn)], targets[np.sort(drawn)]
    known = features[rows]
    candidates = compare_candidates(
        {"features": known},
        targets,
        [str(row) for row in rows],
        {"features": known[:0]},
        classes=len(labels),
        seed=seed,
    )
    best = candidates[0]
    model = MODELS[best.model](known, targets)
    blocks = [
        answers(model, features[start : start + _ROWS], len(labels))
        for start in range(0, len(features), _ROWS)
    ]
    name = f"a {best.model} on the labelled images, {best.accuracy:.1%} right out of fold"
    return Answers(name, labels, np.concatenate(blocks))


def pick_doubtful(
    points: NDArray[np.float32],
    margins: NDArray[np.float64],
    *,
    free: NDArray[np.bool_],
    count: int,
    are_copies: AreCopies,
    seed: int,
) -> NDArray[np.int64]:
    """Pick doubtful images that differ from one another: the least margin of each cluster.

    Args:
        points, margins: float32 N×D and float64 N.
        free: bool N, what may be picked.
        are_copies: which of some rows are copies of picked ones; they are passed over.

    Returns:
        int64, at most `count` rows, in the order in which they were picked.
    """
    rows = np.flatnonzero(free)
    rows = rows[np.argsort(margins[rows], kind="stable")]
    picked = np.empty(0, np.int64)
    # Where near copies fill the shortlist, the next ones come in.
    while len(picked) < count and len(rows):
        wanted = count - len(picked)
        short, rows = rows[: SHORTLIST * wanted], rows[SHORTLIST * wanted :]
        before = picked
        found = pick_by_cluster(
            -margins[short],
            find_clusters(points[short], wanted, seed=seed),
            free=np.ones(len(short), np.bool_),
            labelled=np.zeros(len(short), np.bool_),
            count=wanted,
            are_copies=lambda some, own, short=short, before=before: are_copies(
                short[some], np.concatenate((before, short[own]))
            ),
        )
        picked = np.concatenate((picked, short[found]))
    return picked
