"""What a set of answers is worth: pure functions of probabilities and targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score, recall_score, roc_auc_score, roc_curve

BOOTSTRAP_SAMPLES = 2000
ROC_POINTS = 200


@dataclass(frozen=True)
class Evaluation:
    """Figures of one test part.

    Args:
        accuracy: share of right answers, 0 to 1.
        accuracy_interval: its 95 % interval by bootstrap over groups.
        macro_f1: mean of the classes' F1.
        recall: per label.
        confusion: rows are the truth, columns the answer, in the order of the labels.
        auc: one-vs-rest, per label; None where the part holds no picture of it, or no other.
        roc: per label, the curve's false and true positive rates.
    """

    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    recall: dict[str, float]
    confusion: list[list[int]]
    auc: dict[str, float | None]
    roc: dict[str, dict[str, list[float]]]

    def to_json(self) -> dict[str, Any]:
        """The fields, for result.json."""
        return {
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_f1": self.macro_f1,
            "recall": self.recall,
            "confusion": self.confusion,
            "auc": self.auc,
            "roc": self.roc,
        }


def evaluate(
    probabilities: NDArray[np.float32],
    targets: NDArray[np.int64],
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    seed: int,
) -> Evaluation:
    """Score answers.

    Args:
        probabilities: float32, N×C.
        targets: int64, N.
        groups: N names; the bootstrap draws groups, since pictures of one group are not
            independent.
        labels: C names.
        seed: of the bootstrap.
    """
    predicted = probabilities.argmax(1)
    numbers = list(range(len(labels)))
    recall = recall_score(targets, predicted, labels=numbers, average=None, zero_division=0)
    auc: dict[str, float | None] = {}
    roc: dict[str, dict[str, list[float]]] = {}
    for number, label in enumerate(labels):
        positive = targets == number
        auc[label] = None
        if positive.any() and not positive.all():
            auc[label] = float(roc_auc_score(positive, probabilities[:, number]))
            fpr, tpr, _ = roc_curve(positive, probabilities[:, number])
            keep = np.unique(np.linspace(0, len(fpr) - 1, ROC_POINTS).round().astype(int))
            roc[label] = {"fpr": fpr[keep].tolist(), "tpr": tpr[keep].tolist()}
    return Evaluation(
        accuracy=float((predicted == targets).mean()),
        accuracy_interval=bootstrap_interval(predicted == targets, groups, seed=seed),
        macro_f1=float(
            f1_score(targets, predicted, labels=numbers, average="macro", zero_division=0)
        ),
        recall={label: float(value) for label, value in zip(labels, recall, strict=True)},
        confusion=confusion_matrix(targets, predicted, labels=numbers).tolist(),
        auc=auc,
        roc=roc,
    )


def bootstrap_interval(
    right: NDArray[np.bool_] | NDArray[np.float64], groups: Sequence[str], *, seed: int
) -> tuple[float, float]:
    """95 % percentile interval of the share of right answers, by bootstrap over groups.

    Args:
        right: N, bool, or shares from 0 to 1.
        groups: N names.
    """
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(member)
    hits = np.bincount(member, weights=right)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(sizes), (BOOTSTRAP_SAMPLES, len(sizes)))
    shares = hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(shares, (0.025, 0.975))
    return float(low), float(high)
