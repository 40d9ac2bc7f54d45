"""Choice of a teacher: which features and which model answer best for images they did not see."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from edgecl.learning.teachers.classical import (
    Fit,
    answers,
    fit_discriminant,
    fit_regression,
    self_trained,
)

FOLDS = 5
WEAKEST = 0.75
"""Out-of-fold accuracy below which a teacher's labels do more harm than good."""

MODELS: Mapping[str, Fit] = {
    "linear discriminant": fit_discriminant,
    "logistic regression": fit_regression,
}
NETWORK = "fine-tuned network"
SELF_TRAINED = ", self-trained"


@dataclass(frozen=True)
class TeacherCandidate:
    """A possible teacher: one kind of features, and the model on them; or the network itself.

    Args:
        features: a key of the features; empty for the fine-tuned network.
        model: a key of `MODELS`, or `NETWORK`.
        self_trained: whether its own answers are learnt from in turn.
        accuracy: share of right answers out of fold, 0 to 1.
    """

    features: str
    model: str
    self_trained: bool
    accuracy: float

    @property
    def name(self) -> str:
        """Name for people."""
        if self.model == NETWORK:
            return NETWORK
        return f"{self.model} on {self.features}{SELF_TRAINED if self.self_trained else ''}"


def grouped_folds(
    targets: NDArray[np.int64], groups: Sequence[str], seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return (fitted on, asked) rows of up to `FOLDS` folds; no group is in both.

    A class whose images are all of one group is divided by images: asked for without being known,
    it would say nothing of the others.

    Args:
        targets, groups: int64 N and N names.

    Returns:
        No fold where no class has two images.
    """
    names = np.asarray([f"group {group}" for group in groups])
    sizes = []
    for number in np.unique(targets):
        rows = np.flatnonzero(targets == number)
        if len(set(names[rows])) == 1:
            names = names.astype(object)
            names[rows] = [f"image {row}" for row in rows]
        sizes.append(len(set(names[rows])))
    several = [size for size in sizes if size > 1]
    if not several:
        return []
    fewest = min(several)
    splitter = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer groups than folds
        return list(splitter.split(targets, targets, names))


def out_of_fold(
    fit: Fit,
    features: NDArray[np.float32],
    targets: NDArray[np.int64],
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    classes: int,
    unlabelled: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return each image's probabilities from a model that did not see its group, float32 N×C.

    Args:
        features, targets: float32 N×D and int64 N.
        folds: as `grouped_folds` gives them.
        unlabelled: float32 M×D, to self-train on; None to do without.
    """
    found = np.zeros((len(targets), classes), np.float32)
    for known, asked in folds:
        if len(np.unique(targets[known])) < 2:
            continue
        if unlabelled is None:
            model = fit(features[known], targets[known])
        else:
            model = self_trained(fit, features[known], targets[known], unlabelled)
        found[asked] = answers(model, features[asked], classes)
    return found


def compare_candidates(
    features: Mapping[str, NDArray[np.float32]],
    targets: NDArray[np.int64],
    groups: Sequence[str],
    unlabelled: Mapping[str, NDArray[np.float32]],
    *,
    classes: int,
    seed: int,
) -> list[TeacherCandidate]:
    """Return all candidates, the best first; equally good ones stay in the order of `features`.

    Each kind of features with each model is asked out of fold, and the best pair once more with
    self-training, which is taken where it does not lose.

    Args:
        features: by name, float32 N×D, of the labelled images.
        targets, groups: int64 N and N names.
        unlabelled: by the same names, float32 M×D.

    Returns:
        None of them where the labels do not allow folds.
    """
    folds = grouped_folds(targets, groups, seed)
    if not folds:
        return []

    def asked(kind: str, model: str, more: NDArray[np.float32] | None) -> float:
        probabilities = out_of_fold(MODELS[model], features[kind], targets, folds, classes, more)
        return float((probabilities.argmax(1) == targets).mean())

    plain = [
        TeacherCandidate(kind, model, False, asked(kind, model, None))
        for kind in features
        for model in MODELS
    ]
    plain.sort(key=lambda candidate: -candidate.accuracy)
    best = plain[0]
    if not len(unlabelled[best.features]):
        return plain
    again = asked(best.features, best.model, unlabelled[best.features])
    further = TeacherCandidate(best.features, best.model, True, again)
    return sorted([further, *plain], key=lambda candidate: -candidate.accuracy)
