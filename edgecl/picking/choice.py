"""Choice of the images to label next, from descriptions of all; no file is read or written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecl.picking.documents import DOUBTFUL, TYPICAL
from edgecl.picking.doubtful import (
    ENOUGH,
    ModelAnswers,
    enough_labels,
    learn_and_answer,
    pick_doubtful,
)
from edgecl.picking.space import common_space
from edgecl.picking.typical import AreCopies, find_clusters, pick_by_cluster, typicality


@dataclass(frozen=True)
class PickedRows:
    """Images that were chosen.

    Args:
        rows: int64, K, in the order of priority.
        reasons: K, in words.
        way: `typical` or `doubtful`.
        rule: why this way, in words.
        clusters: int64, N, of all images.
        typicality: float64, N, of all images.
        margins: float64, N; None where no model was asked.
        model: the one that was asked.
    """

    rows: NDArray[np.int64]
    reasons: Sequence[str]
    way: str
    rule: str
    clusters: NDArray[np.int64]
    typicality: NDArray[np.float64]
    margins: NDArray[np.float64] | None = None
    model: str = ""


def choose(
    kinds: Sequence[NDArray[np.float32]],
    names: Sequence[str],
    *,
    labelled: int,
    free: NDArray[np.bool_],
    count: int,
    are_copies: AreCopies,
    answers: ModelAnswers | None = None,
    seed: int = 0,
) -> PickedRows:
    """Choose images: typical ones while labels are few, then those that a model doubts.

    From `ENOUGH` labelled images per class on, a model learns from these and its margins decide.
    Without labelled images, `answers` decide where there are any.

    Args:
        kinds: descriptions of all N images, float32 N×D each, the labelled images first.
        names: classes of the labelled images; empty where there is none.
        labelled: how many these are.
        free: bool N, what may be chosen.
        count: images wanted.
        are_copies: which of some rows are copies of chosen ones; they are passed over.
        answers: of a network that was trained on labels that are not at hand.
    """
    points = common_space(kinds, seed=seed)
    covering = np.arange(len(points)) < labelled
    # Copies would make their own image typical.
    told_apart = free | covering
    clusters = np.full(len(points), 0, np.int64)
    typical = np.zeros(len(points))
    clusters[told_apart] = find_clusters(points[told_apart], labelled + count, seed=seed)
    typical[told_apart] = typicality(points[told_apart], clusters[told_apart], seed=seed)
    known = np.array([row for row, name in enumerate(names) if name], np.int64)
    labels = tuple(sorted({names[row] for row in known.tolist()}))
    targets = np.array([labels.index(names[row]) for row in known.tolist()], np.int64)
    rule = _few(len(known), len(labels))
    if enough_labels(targets):
        answers = learn_and_answer(points, known, targets, labels, seed=seed)
        rule = f"{len(known)} labelled images of {len(labels)} classes: at least {ENOUGH} per class"
    elif len(known):
        answers = None
    elif answers is not None:
        rule = "the run was trained on labels, and no labelled images are at hand"
    if answers is None:
        rows = pick_by_cluster(
            typical,
            clusters,
            free=free,
            labelled=covering,
            count=count,
            are_copies=are_copies,
        )
        reasons = _typical_reasons(rows, clusters, covering, told_apart)
        return PickedRows(rows, reasons, TYPICAL, rule, clusters, typical)
    margins = answers.margins()
    rows = pick_doubtful(points, margins, free=free, count=count, are_copies=are_copies, seed=seed)
    reasons = ["{} or {}".format(*answers.between(row)) for row in rows.tolist()]
    return PickedRows(rows, reasons, DOUBTFUL, rule, clusters, typical, margins, answers.model)


def _few(known: int, classes: int) -> str:
    if not known:
        return "no image has a label"
    if classes < 2:
        return f"the {known} labelled images are of one class"
    return f"{known} labelled images of {classes} classes: fewer than {ENOUGH} per class"


def _typical_reasons(
    rows: NDArray[np.int64],
    clusters: NDArray[np.int64],
    labelled: NDArray[np.bool_],
    counted: NDArray[np.bool_],
) -> list[str]:
    """Describe each picked image's cluster, as it was when the image was picked."""
    sizes = np.bincount(clusters[counted])
    covered = np.bincount(clusters[labelled], minlength=len(sizes))
    reasons = []
    for cluster in clusters[rows].tolist():
        images, known = int(sizes[cluster]), int(covered[cluster])
        if images == 1:
            reasons.append("unlike all others")
        elif known:
            reasons.append(f"typical of {images} images, {known} of them known")
        else:
            reasons.append(f"typical of {images} images, none known")
        covered[cluster] += 1
    return reasons
