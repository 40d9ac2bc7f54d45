"""Comparison of a precision with the trained model on the same images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from runtime.statistics import Interval, share_interval

LISTED = 100
"""Number of escapes that are named one by one; all are counted."""

NO_ANSWER = -1
"""Stands for the answer of an image with non-finite probabilities; no class has it."""


@dataclass(frozen=True)
class ClassRecall:
    """Recall of a class, before and after.

    Args:
        images: of this class.
        reference: how many of them the trained model answered rightly.
        candidate: how many of them the precision did.
        lost: how many only the trained model did.
        escapes: how many the trained model caught and the precision does not.
    """

    label: str
    images: int
    reference: int
    candidate: int
    lost: int
    escapes: int

    @property
    def recall(self) -> float | None:
        """Share that the precision finds; None for a class without an image."""
        return self.candidate / self.images if self.images else None

    @property
    def reference_recall(self) -> float | None:
        """Share that the trained model finds; None for a class without an image."""
        return self.reference / self.images if self.images else None


@dataclass(frozen=True)
class Escape:
    """A defect that the trained model caught and the precision does not.

    Args:
        row: the image's number among those compared, from 0.
        label: the truth.
        reference: the trained model's answer.
        reference_confidence: its probability.
        answer: the precision's; empty where its probabilities are not finite.
        confidence: its probability; None where there is no answer.
    """

    row: int
    label: str
    reference: str
    reference_confidence: float
    answer: str
    confidence: float | None


@dataclass(frozen=True)
class Comparison:
    """A precision beside the trained model, on the same images; plain JSON by `asdict`.

    The intervals are Wilson's of 95 % and take images as independent.

    Args:
        accuracy: share of right answers of the precision, 0 to 1.
        reference_accuracy: the trained model's.
        max_abs_diff: the largest change of any probability.
        agreement: share of images with the trained model's label.
        images: how many were compared.
        accuracy_interval: of `accuracy`.
        reference_interval: of `reference_accuracy`.
        lost: images that only the trained model answers rightly.
        gained: images that only the precision answers rightly.
        mcnemar_p: McNemar's exact two-sided test of `lost` against `gained` (McNemar 1947).
        classes: every class, in the order of the labels.
        caught: images of a defect class that the trained model caught.
        escapes: how many of `caught` the precision does not catch.
        escape_rate: `escapes` / `caught`; None where nothing was caught.
        escape_interval: of `escape_rate`; None where nothing was caught.
        escaped: the first `LISTED` escapes: those without an answer, then by how sure the wrong
            answer is.
    """

    accuracy: float
    reference_accuracy: float
    max_abs_diff: float
    agreement: float
    images: int
    accuracy_interval: Interval
    reference_interval: Interval
    lost: int
    gained: int
    mcnemar_p: float
    classes: tuple[ClassRecall, ...]
    caught: int
    escapes: int
    escape_rate: float | None
    escape_interval: Interval | None
    escaped: tuple[Escape, ...]

    @property
    def drop(self) -> float:
        """Accuracy lost, in percentage points; negative where it rose."""
        return 100 * (self.reference_accuracy - self.accuracy)


def compare(
    reference: NDArray[np.float32],
    candidate: NDArray[np.float32],
    targets: NDArray[np.int64],
    *,
    labels: Sequence[str] = (),
    pass_labels: Sequence[str] = (),
) -> Comparison:
    """Compare two sets of answers.

    A defect is caught where a label is answered that rejects the part. Without pass labels every
    class is a defect that has to be told from the others, and caught means the right label.
    Non-finite probabilities are no answer: wrong, and the largest change there is.

    Args:
        reference: float32, N×C, probabilities of the trained model.
        candidate: float32, N×C, those of the precision.
        targets: int64, N, class numbers.
        labels: C names; the class numbers when empty.
        pass_labels: the labels that let a part pass.

    Raises:
        ValueError: shapes or labels that do not pair, or no images.
    """
    if reference.shape != candidate.shape or len(targets) != len(reference) or not len(targets):
        raise ValueError(
            f"answers of shapes {reference.shape} and {candidate.shape} for {len(targets)} images"
        )
    classes = reference.shape[1]
    labels = labels or [str(number) for number in range(classes)]
    if len(labels) != classes or targets.min() < 0 or targets.max() >= classes:
        raise ValueError(f"{classes} probabilities for {len(labels)} labels, or targets beyond")
    expected, answered = _answers(reference), _answers(candidate)
    right_before, right_now = expected == targets, answered == targets
    lost, gained = right_before & ~right_now, right_now & ~right_before
    passing = [number for number, label in enumerate(labels) if label in pass_labels]
    caught = _caught(expected, targets, passing)
    escaping = caught & ~_caught(answered, targets, passing)
    everything = np.ones(len(targets), bool)
    escapes, count = int(escaping.sum()), len(targets)
    change = np.nan_to_num(np.abs(candidate - reference), nan=1.0, posinf=1.0)
    return Comparison(
        accuracy=float(right_now.mean()),
        reference_accuracy=float(right_before.mean()),
        max_abs_diff=float(change.max()),
        agreement=float(((answered == expected) & (answered != NO_ANSWER)).mean()),
        images=count,
        accuracy_interval=share_interval(int(right_now.sum()), count),
        reference_interval=share_interval(int(right_before.sum()), count),
        lost=int(lost.sum()),
        gained=int(gained.sum()),
        mcnemar_p=_mcnemar(int(lost.sum()), int(gained.sum())),
        classes=tuple(
            ClassRecall(
                label,
                *(
                    int((members & (targets == number)).sum())
                    for members in (everything, right_before, right_now, lost, escaping)
                ),
            )
            for number, label in enumerate(labels)
        ),
        caught=int(caught.sum()),
        escapes=escapes,
        escape_rate=escapes / int(caught.sum()) if caught.any() else None,
        escape_interval=share_interval(escapes, int(caught.sum())) if caught.any() else None,
        escaped=tuple(_listed(escaping, reference, candidate, targets, labels)),
    )


def _answers(probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.where(
        np.isfinite(probabilities).all(axis=1), probabilities.argmax(axis=1), NO_ANSWER
    ).astype(np.int64)


def _caught(
    answers: NDArray[np.int64], targets: NDArray[np.int64], passing: Sequence[int]
) -> NDArray[np.bool_]:
    if not passing:
        return np.asarray(answers == targets)
    return ~np.isin(targets, passing) & ~np.isin(answers, [*passing, NO_ANSWER])


def _mcnemar(lost: int, gained: int) -> float:
    # Under the null hypothesis either direction is as likely as the other.
    return float(binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0


def _listed(
    escaping: NDArray[np.bool_],
    reference: NDArray[np.float32],
    candidate: NDArray[np.float32],
    targets: NDArray[np.int64],
    labels: Sequence[str],
) -> Iterator[Escape]:
    rows = np.flatnonzero(escaping)
    expected, answered = _answers(reference), _answers(candidate)
    sure = np.where(answered == NO_ANSWER, np.inf, candidate.max(axis=1))
    for row in rows[np.argsort(-sure[rows], kind="stable")][:LISTED].tolist():
        answer = int(answered[row])
        known = answer != NO_ANSWER
        yield Escape(
            row=row,
            label=labels[targets[row]],
            reference=labels[expected[row]],
            reference_confidence=round(float(reference[row, expected[row]]), 6),
            answer=labels[answer] if known else "",
            confidence=round(float(candidate[row, answer]), 6) if known else None,
        )
