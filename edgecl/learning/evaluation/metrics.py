"""Metrics of predictions: pure functions of probabilities and targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score, recall_score, roc_auc_score, roc_curve

BOOTSTRAP_SAMPLES = 2000
ROC_POINTS = 200
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """Images whose answers are about equally confident.

    Args:
        low: confidences above it (from it on, in the first bin) are in the bin.
        high: confidences up to it are.
        count: how many images.
        right: how many of them were answered rightly.
        confidence: mean of their confidences; None where there are none.
    """

    low: float
    high: float
    count: int
    right: int
    confidence: float | None


@dataclass(frozen=True)
class Evaluation:
    """Figures of one test part.

    Args:
        accuracy: share of right answers, 0 to 1.
        accuracy_interval: its 95 % interval by bootstrap over groups.
        macro_f1: mean of the classes' F1.
        recall: per label.
        confusion: rows are the truth, columns the answer, in the order of the labels.
        auc: one-vs-rest, per label; None where the part holds no image of it, or no other.
        roc: per label, the curve's false and true positive rates.
        ece: expected calibration error of the top label, 0 to 1.
        reliability: the bins that it is taken over.
        brier: Brier score, 0 to 2.
        nll: mean negative log-likelihood of the truth, in nats.
    """

    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    recall: dict[str, float]
    confusion: list[list[int]]
    auc: dict[str, float | None]
    roc: dict[str, dict[str, list[float]]]
    ece: float
    reliability: list[ReliabilityBin]
    brier: float
    nll: float

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
            "ece": self.ece,
            "reliability": [asdict(entry) for entry in self.reliability],
            "brier": self.brier,
            "nll": self.nll,
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
        groups: N names; the bootstrap draws groups, since images of one group are not
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
    reliability = reliability_bins(probabilities.max(1), predicted == targets)
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
        ece=expected_calibration_error(reliability),
        reliability=reliability,
        brier=brier_score(probabilities, targets),
        nll=negative_log_likelihood(probabilities, targets),
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


def reliability_bins(
    confidence: NDArray[np.float32], right: NDArray[np.bool_], *, bins: int = CALIBRATION_BINS
) -> list[ReliabilityBin]:
    """Sort answers into bins of equal width over their confidence.

    Bin m of M holds the confidences of ((m - 1) / M, m / M], as in Guo et al. 2017.

    Args:
        confidence: float, N, the probability of each answer, 0 to 1.
        right: bool, N.
        bins: M.

    Returns:
        All M bins, empty ones too, from 0 upwards.
    """
    shares = confidence.astype(np.float64)
    edges = np.linspace(0.0, 1.0, bins + 1)
    member = np.clip(np.searchsorted(edges, shares, side="left") - 1, 0, bins - 1)
    counts = np.bincount(member, minlength=bins)
    sums = np.bincount(member, weights=shares, minlength=bins)
    hits = np.bincount(member[right], minlength=bins)
    return [
        ReliabilityBin(
            low=float(edges[m]),
            high=float(edges[m + 1]),
            count=int(counts[m]),
            right=int(hits[m]),
            confidence=float(sums[m] / counts[m]) if counts[m] else None,
        )
        for m in range(bins)
    ]


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Mean gap between confidence and accuracy over the bins, weighted by their images.

    ECE = Σ |B_m| / N · |acc(B_m) - conf(B_m)| (Naeini et al. 2015; Guo et al. 2017, equation 3).
    Few images make it look larger than it is.

    Returns:
        0 to 1; 0 without an image.
    """
    total = sum(entry.count for entry in bins)
    gaps = (
        abs(entry.right - entry.count * entry.confidence)
        for entry in bins
        if entry.confidence is not None
    )
    return sum(gaps) / max(total, 1)


def brier_score(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Mean over images of Σ_c (p_c - [c is the truth])² (Brier 1950): 0 is best, 2 is worst.

    Args:
        probabilities: float32, N×C.
        targets: int64, N.
    """
    gaps = probabilities.astype(np.float64)
    gaps[np.arange(len(targets)), targets] -= 1.0
    return float((gaps * gaps).sum(axis=1).mean())


def negative_log_likelihood(
    probabilities: NDArray[np.float32], targets: NDArray[np.int64]
) -> float:
    """Mean of -ln p(truth), in nats; a probability that was rounded to 0 counts as float32's least.

    Args:
        probabilities: float32, N×C.
        targets: int64, N.
    """
    truth = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return max(0.0, float(-np.log(np.maximum(truth, np.finfo(np.float32).tiny)).mean()))
