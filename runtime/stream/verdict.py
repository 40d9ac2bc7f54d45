"""Verdict on a frame, and the rule that gives it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from runtime.artifact.contract import ModelContract
from runtime.camera.base import Frame
from runtime.files.document import Document, Part, read_lines
from runtime.image.cutting import Place
from runtime.session.tiles import ImageAnswer
from runtime.stream.acting.pending import PendingAct
from runtime.stream.budget import AGE, TOTAL

if TYPE_CHECKING:
    from runtime.stream.recipes.recipe import RecipeMark


class Status(str, Enum):
    """Verdict that the line acts on. All but `PASS` mean: do not let the part go."""

    # As StrEnum does, which Python 3.10 has not: its text is its value.
    __str__ = str.__str__

    PASS = "pass"
    REJECT = "reject"
    UNSURE = "unsure"
    UNKNOWN = "unknown"
    LATE = "late"
    FAULT = "fault"


class WorstTile(Part, frozen=True, kw_only=True):
    """The tile that speaks most against a part.

    Args:
        left, top, width, height: what it shows of the frame, in pixels of the frame.
        label: its most probable label.
        confidence: that label's probability, 0 to 1.
    """

    left: int
    top: int
    width: int
    height: int
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Decision:
    """Decision from the model's output.

    Args:
        label: the most probable label; empty where there is no usable answer.
        confidence: its probability, 0 to 1.
        reason: why there is no usable answer; empty otherwise.
        worst_tile: where frames are cut into tiles and there is an answer.
        late: whether there was no verdict by the deadline.
        answer: the status that the model's answer has by itself, where `status` is another one:
            a reject that was held back, or an answer that came too late.
        distance: from the training images, relative to the limit; None where it is not known.
        probabilities: float32, one per label, until the next frame is judged; None where there
            are none.
    """

    status: Status
    label: str = ""
    confidence: float = 0.0
    reason: str = ""
    worst_tile: WorstTile | None = None
    late: bool = False
    answer: Status | None = None
    distance: float | None = None
    probabilities: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)


class VerdictLine(Document, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `verdicts.jsonl`.

    Args:
        frame: the frame's number.
        captured_at: when its capture started by the wall clock, ISO 8601 with `Z`.
        captured_ns: the same moment in monotonic nanoseconds.
        status: what a machine beside the line acts on.
        label: the most probable label; None where there is no usable answer.
        confidence: its probability, 0 to 1; None likewise.
        steps_ns: nanoseconds by step.
        reason: why there is no usable answer, or why another status went out.
        name: the file that the frame came from.
        truth: the right label where the camera knows it.
        worst_tile: of a frame that was cut into tiles.
        late: whether there was no verdict by the deadline, so that a fail-safe status went out.
        answer: the status that the model's answer has by itself, where `status` is another one.
        distance: from the training images; above 1 the frame is unknown, unless another limit is
            set. None where it is not known.
        camera: the name of the camera, where several send their verdicts to one place.
        recipe: id of the recipe that it was judged by; empty where the stream has none.
        digest: of that recipe's bundle: SHA-256 of its manifest.
    """

    WHAT: ClassVar[str] = "a line of verdicts"
    REMEDY: ClassVar[str] = "pass a verdicts.jsonl written by 'edgecl run'"
    UNNUMBERED: ClassVar[bool] = True

    schema: Literal[1]
    frame: int
    captured_at: str
    captured_ns: int
    status: Status
    label: str | None
    confidence: float | None
    steps_ns: dict[str, int]
    reason: str = ""
    name: str = ""
    truth: str = ""
    worst_tile: WorstTile | None = None
    late: bool = False
    answer: Status | None = None
    distance: float | None = None
    camera: str = ""
    recipe: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one answer that an accepted frame gets.

    Args:
        number: the frame's number.
        captured_ns: monotonic nanoseconds when its capture started.
        wall_ns: the same moment by the wall clock, nanoseconds since 1970.
        decision: what is said; a late one may carry the label that came too late.
        steps: nanoseconds by step, as far as the frame came; `total` is always there and ends
            where the verdict is handed to the sinks.
        name: the file that the frame came from, if any.
        truth: the right label where the camera knows it; empty otherwise.
        camera: its name, where several cameras send verdicts to one sink; empty otherwise.
        recipe: id of the recipe that it was judged by; empty where the stream has none.
        digest: of that recipe's bundle.
        bundle: its name; empty where the stream has no recipes.
        labels: of that recipe's model, as its probabilities are; empty likewise.
        act: where sinks act on the machine: by when, and whom they tell; None otherwise.
    """

    number: int
    captured_ns: int
    wall_ns: int
    decision: Decision
    steps: Mapping[str, int] = field(default_factory=dict)
    name: str = ""
    truth: str = ""
    camera: str = ""
    recipe: str = ""
    digest: str = ""
    bundle: str = ""
    labels: tuple[str, ...] = ()
    act: PendingAct | None = field(default=None, compare=False)

    @classmethod
    def of(
        cls,
        frame: Frame,
        now_ns: int,
        decision: Decision,
        steps: Mapping[str, int],
        mark: RecipeMark | None = None,
        act: PendingAct | None = None,
    ) -> Verdict:
        """The verdict on a frame that goes out now.

        Args:
            now_ns: monotonic nanoseconds.
            steps: without `total` and `age`, which are added.
            mark: of the recipe, where the stream has recipes.
            act: see `Verdict`.
        """
        total = now_ns - frame.start_ns
        recipe, digest, bundle, labels = _of_recipe(mark)
        age = {} if frame.delay_ns is None else {AGE: frame.delay_ns + total}
        return cls(
            number=frame.number,
            captured_ns=frame.start_ns,
            wall_ns=time.time_ns() - total,
            decision=decision,
            steps={**steps, TOTAL: total, **age},
            name=frame.name,
            truth=frame.truth,
            recipe=recipe,
            digest=digest,
            bundle=bundle,
            labels=labels,
            act=act,
        )

    def line(self) -> VerdictLine:
        """The line of `verdicts.jsonl`."""
        answered, distance = bool(self.decision.label), self.decision.distance
        return VerdictLine(
            schema=1,
            frame=self.number,
            captured_at=_iso(self.wall_ns),
            captured_ns=self.captured_ns,
            status=self.decision.status,
            label=self.decision.label if answered else None,
            confidence=round(self.decision.confidence, 6) if answered else None,
            steps_ns=dict(self.steps),
            reason=_writable(self.decision.reason),
            name=_writable(self.name),
            truth=_writable(self.truth),
            worst_tile=self.decision.worst_tile,
            late=self.decision.late,
            answer=self.decision.answer,
            distance=None if distance is None else round(distance, 4),
            camera=self.camera,
            recipe=self.recipe,
            digest=self.digest,
        )


def _of_recipe(mark: RecipeMark | None) -> tuple[str, str, str, tuple[str, ...]]:
    if mark is None or not mark.id:
        return "", "", "", ()
    return mark.id, mark.digest, mark.bundle, mark.labels


def decide(
    probabilities: NDArray[np.float32],
    contract: ModelContract,
    unsure_below: float,
    unsure_below_of: Mapping[str, float] = MappingProxyType({}),
) -> Decision:
    """Turn a frame's probabilities into a decision.

    Args:
        probabilities: one per label of the contract.
        unsure_below: a confidence below this is `unsure`.
        unsure_below_of: the same by label, for those with a threshold of their own.

    Returns:
        `pass`, `reject` or `unsure`; `fault` where the probabilities are no such thing.
    """
    if probabilities.shape != (len(contract.labels),):
        return Decision(
            Status.FAULT,
            reason=f"the model returned {probabilities.shape} for {len(contract.labels)} labels",
        )
    # A few numbers are quicker in Python than in NumPy, whose code left the caches meanwhile.
    values: list[float] = probabilities.tolist()
    if not math.isfinite(sum(values)):
        return Decision(Status.FAULT, reason="the model returned NaN or infinite probabilities")
    confidence = max(values)
    label = contract.labels[values.index(confidence)]
    if confidence < unsure_below_of.get(label, unsure_below):
        status = Status.UNSURE
    else:
        status = Status.PASS if label in contract.pass_labels else Status.REJECT
    return Decision(status, label, confidence, probabilities=probabilities)


def worst_tile_of(
    answer: ImageAnswer, place: Place | None, contract: ModelContract
) -> WorstTile | None:
    """Return the worst tile as a verdict names it; None for a stretched frame.

    Args:
        place: of that tile.
    """
    if place is None:
        return None
    best = int(answer.worst_probabilities.argmax())
    return WorstTile(
        left=place.left,
        top=place.top,
        width=place.width,
        height=place.height,
        label=contract.labels[best],
        confidence=round(float(answer.worst_probabilities[best]), 6),
    )


def _writable(text: str) -> str:
    """Text that UTF-8 can hold; names of files may be no such thing."""
    return text.encode("utf-8", "replace").decode()


def _iso(wall_ns: int) -> str:
    moment = datetime.fromtimestamp(wall_ns / 1e9, timezone.utc)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_verdicts(path: Path) -> list[VerdictLine]:
    """Read verdicts.jsonl.

    Raises:
        InputError: it cannot be read, or a line is no verdict.
    """
    return read_lines(path, VerdictLine)
