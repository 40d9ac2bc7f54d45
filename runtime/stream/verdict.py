"""Verdict on a frame, and the rule that gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import ModelContract


class Status(str, Enum):
    """Verdict that the line acts on. All but `PASS` mean: do not let the part go."""

    # As StrEnum does, which Python 3.10 has not: its text is its value.
    __str__ = str.__str__

    PASS = "pass"
    REJECT = "reject"
    UNSURE = "unsure"
    LATE = "late"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Decision:
    """Decision from the model's output.

    Args:
        label: the most probable label; empty where there is no usable answer.
        confidence: its probability, 0 to 1.
        reason: why there is no usable answer; empty otherwise.
    """

    status: Status
    label: str = ""
    confidence: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one answer that an accepted frame gets.

    Args:
        number: the frame's number.
        captured_ns: monotonic nanoseconds when its capture started.
        wall_ns: the same moment by the wall clock, nanoseconds since 1970.
        decision: what is said; a `late` one may carry the label that came too late.
        steps: nanoseconds by step, as far as the frame came; `total` is always there and ends
            where the verdict is handed to the sinks.
        name: the file that the frame came from, if any.
        truth: the right label where the camera knows it; empty otherwise.
    """

    number: int
    captured_ns: int
    wall_ns: int
    decision: Decision
    steps: Mapping[str, int] = field(default_factory=dict)
    name: str = ""
    truth: str = ""

    def to_json(self) -> dict[str, Any]:
        """One line of `verdicts.jsonl`."""
        document: dict[str, Any] = {
            "frame": self.number,
            "captured_at": _iso(self.wall_ns),
            "captured_ns": self.captured_ns,
            "status": self.decision.status.value,
            "label": self.decision.label or None,
            "confidence": round(self.decision.confidence, 6) if self.decision.label else None,
            "steps_ns": dict(self.steps),
        }
        if self.decision.reason:
            document["reason"] = self.decision.reason
        if self.name:
            document["name"] = self.name
        if self.truth:
            document["truth"] = self.truth
        return document


def decide(
    probabilities: NDArray[np.float32], contract: ModelContract, unsure_below: float
) -> Decision:
    """Turn a frame's probabilities into a decision.

    Args:
        probabilities: one per label of the contract.
        unsure_below: a confidence below this is `unsure`, whatever the label.

    Returns:
        `pass`, `reject` or `unsure`; `fault` where the probabilities are no such thing.
    """
    if probabilities.shape != (len(contract.labels),):
        return Decision(
            Status.FAULT,
            reason=f"the model returned {probabilities.shape} for {len(contract.labels)} labels",
        )
    if not np.isfinite(probabilities).all():
        return Decision(Status.FAULT, reason="the model returned NaN or infinite probabilities")
    best = int(probabilities.argmax())
    confidence = float(probabilities[best])
    label = contract.labels[best]
    if confidence < unsure_below:
        status = Status.UNSURE
    else:
        status = Status.PASS if label in contract.pass_labels else Status.REJECT
    return Decision(status, label, confidence)


def _iso(wall_ns: int) -> str:
    moment = datetime.fromtimestamp(wall_ns / 1e9, timezone.utc)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
