"""Whether a precision may ship: its answers against the trained model's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Comparison:
    """A precision beside the trained model, on the same pictures.

    Args:
        accuracy: share of right answers of the precision, 0 to 1.
        reference_accuracy: the trained model's.
        max_abs_diff: the largest change of any probability.
        agreement: share of pictures with the trained model's label.
        pictures: how many were compared.
    """

    accuracy: float
    reference_accuracy: float
    max_abs_diff: float
    agreement: float
    pictures: int

    @property
    def drop(self) -> float:
        """Accuracy lost, in percentage points; negative where it rose."""
        return 100 * (self.reference_accuracy - self.accuracy)


def compare(
    reference: NDArray[np.float32],
    candidate: NDArray[np.float32],
    targets: NDArray[np.int64],
) -> Comparison:
    """Compare two sets of answers.

    Args:
        reference: float32, N×C, probabilities of the trained model.
        candidate: float32, N×C, those of the precision.
        targets: int64, N.

    Raises:
        ValueError: shapes that differ, or no pictures.
    """
    if reference.shape != candidate.shape or len(targets) != len(reference) or not len(targets):
        raise ValueError(
            f"answers of shapes {reference.shape} and {candidate.shape} for {len(targets)} pictures"
        )
    expected, answered = reference.argmax(1), candidate.argmax(1)
    # A NaN must not pass for agreement: it counts as the largest change there is.
    change = np.abs(np.nan_to_num(candidate - reference, nan=1.0))
    return Comparison(
        accuracy=float((answered == targets).mean()),
        reference_accuracy=float((expected == targets).mean()),
        max_abs_diff=float(change.max()),
        agreement=float((answered == expected).mean()),
        pictures=len(targets),
    )


def reason_to_refuse(comparison: Comparison, max_drop: float) -> str:
    """Why a precision may not ship; empty where it may.

    Args:
        max_drop: percentage points of accuracy that may be lost.
    """
    # A drop of exactly the limit must not be refused for a rounding error.
    if comparison.drop <= max_drop + 1e-9:
        return ""
    return (
        f"accuracy fell by {comparison.drop:.2f} points, from "
        f"{comparison.reference_accuracy:.2%} to {comparison.accuracy:.2%} on "
        f"{comparison.pictures} validation pictures; {max_drop:g} are allowed"
    )
