"""Two answers to the same frames: which differ, and how sure the share of them is."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Literal

from runtime.files.document import Document, Part
from runtime.statistics import share_interval
from runtime.stream.verdict import Decision, Status


class OneAnswer(Part, frozen=True, kw_only=True):
    """An answer to a frame.

    Args:
        status: by the model's answer alone, without debounce and deadline.
        label: the most probable one; empty where there is no usable answer.
        confidence: its probability, 0 to 1.
        distance: from the training images, relative to the limit; None where it is not known.
        reason: of a fault, or of `unknown`.
    """

    status: str
    label: str
    confidence: float
    distance: float | None = None
    reason: str = ""

    @classmethod
    def of(cls, decision: Decision) -> OneAnswer:
        """Return a decision as a document has it."""
        distance = decision.distance
        return cls(
            status=(decision.answer or decision.status).value,
            label=decision.label,
            confidence=round(decision.confidence, 6),
            distance=None if distance is None else round(distance, 4),
            reason=decision.reason if decision.answer is None else "",
        )

    def differs(self, other: OneAnswer) -> bool:
        """Whether another status or label was answered."""
        return (self.status, self.label) != (other.status, other.label)


class Disagreement(Document, frozen=True, kw_only=True, omit_defaults=True):
    """A frame that two models answered differently.

    Args:
        id: of the verdict, as an archive names it: the run's id, the camera's name where there are
            several, and the frame's number.
        frame: the frame's number.
        captured_at: when its capture started, ISO 8601 with `Z`; empty where nothing tells.
        name: the file that it came from; empty where there is none.
        first: what the verdict was made of.
        second: the other model's answer.
    """

    WHAT: ClassVar[str] = "a disagreement of two models"
    REMEDY: ClassVar[str] = "pass a file written by 'edgecl run --shadow' or 'edgecl replay'"

    schema: Literal[1]
    id: str
    frame: int
    captured_at: str = ""
    name: str = ""
    first: OneAnswer
    second: OneAnswer


class AnswerComparison(Part, frozen=True, kw_only=True):
    """Counts over frames that two models answered.

    Args:
        frames: answered by both.
        disagreed: of which status or label differ.
        share: of them, 0 to 1; None without frames.
        least, most: Wilson's interval of that share at 95 %, if frames are independent of each
            other; None likewise.
        changes: frames by both statuses, as in `pass to reject`, where these differ.
        relabelled: frames of one status and two labels.
    """

    frames: int
    disagreed: int
    share: float | None
    least: float | None
    most: float | None
    changes: dict[str, int]
    relabelled: int


class AnswerTally:
    """Counts of two models' answers, while they grow."""

    def __init__(self) -> None:
        self._frames = self._relabelled = 0
        self._changes: Counter[tuple[str, str]] = Counter()

    def add(self, first: OneAnswer, second: OneAnswer) -> bool:
        """Count the answers to one frame; whether they differ."""
        self._frames += 1
        if first.status != second.status:
            self._changes[first.status, second.status] += 1
        elif first.label != second.label:
            self._relabelled += 1
        return first.differs(second)

    def comparison(self) -> AnswerComparison:
        """Return the counts."""
        disagreed = sum(self._changes.values()) + self._relabelled
        frames = self._frames
        least, most = share_interval(disagreed, frames) if frames else (None, None)
        order = [status.value for status in Status]
        changes = sorted(self._changes, key=lambda pair: [order.index(status) for status in pair])
        return AnswerComparison(
            frames=frames,
            disagreed=disagreed,
            share=disagreed / frames if frames else None,
            least=least,
            most=most,
            changes={f"{was} to {now}": self._changes[was, now] for was, now in changes},
            relabelled=self._relabelled,
        )
