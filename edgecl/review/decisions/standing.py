"""Standing decisions: whose, about which image, and whether they agree. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

from runtime.files.document import Document

LABEL, DONT_KNOW, UNDO = "label", "dont-know", "undo"


class DecisionLine(Document, frozen=True, kw_only=True):
    """One line of `review.jsonl`: something that a reviewer decided, or took back.

    Args:
        id: chosen by the page, so that a decision that is sent twice counts once.
        at: by the wall clock, ISO 8601 with `Z`.
        reviewer: the name that was typed.
        image: SHA-256 of the image's file.
        file: its name in the folder at that time.
        choice: a label, that the reviewer does not know, or that their last decision about this
            image is taken back.
        label: empty unless that was the choice.
    """

    WHAT: ClassVar[str] = "a line of decisions"
    REMEDY: ClassVar[str] = "restore review.jsonl from a copy, or move it away to begin anew"

    schema: Literal[1] = 1
    id: str
    at: str
    reviewer: str
    image: str
    file: str
    choice: Literal["label", "dont-know", "undo"]
    label: str = ""


class Standing:
    """Decisions that stand. Lines are applied in their order, by one thread; others may read.

    Attributes:
        changed: image of each line that was applied: a position in it is a version.
        labels: that were given, in the order in which they first were.
    """

    def __init__(self, lines: Iterable[DecisionLine] = ()) -> None:
        self.changed: list[str] = []
        self.labels: dict[str, None] = {}
        self._ids: set[str] = set()
        self._stacks: dict[str, dict[str, list[DecisionLine]]] = defaultdict(dict)
        self._courses: dict[str, list[str]] = defaultdict(list)
        for line in lines:
            self.apply(line)

    def has(self, decision: str) -> bool:
        """Whether a decision of that id was applied before."""
        return decision in self._ids

    def apply(self, line: DecisionLine) -> None:
        """Take a line into account."""
        self._ids.add(line.id)
        self.changed.append(line.image)
        stack = self._stacks[line.image].setdefault(line.reviewer, [])
        course = self._courses[line.reviewer]
        if line.choice != UNDO:
            stack.append(line)
            course.append(line.image)
            if line.label:
                self.labels.setdefault(line.label)
        elif stack:
            stack.pop()
            # The latest of this image, which need not be the latest of all.
            del course[len(course) - 1 - course[::-1].index(line.image)]

    def of(self, image: str) -> dict[str, str | None]:
        """Return what stands about an image, by reviewer; None for one who does not know."""
        return {reviewer: line.label or None for reviewer, line in self._latest_of(image).items()}

    def line_of(self, image: str) -> DecisionLine | None:
        """Return the latest decision about an image that stands."""
        return max(self._latest_of(image).values(), key=lambda line: line.at, default=None)

    def latest(self, reviewer: str) -> str | None:
        """Return the image that a reviewer decided last, without what was taken back."""
        course = tuple(self._courses.get(reviewer, ()))
        return course[-1] if course else None

    @property
    def images(self) -> tuple[str, ...]:
        """Return the images about which something stands."""
        return tuple(image for image in tuple(self._stacks) if self._latest_of(image))

    def _latest_of(self, image: str) -> dict[str, DecisionLine]:
        # Copies: another thread may apply a line meanwhile.
        stacks = list(self._stacks.get(image, {}).items())
        copies = {reviewer: tuple(stack) for reviewer, stack in stacks}
        return {reviewer: lines[-1] for reviewer, lines in copies.items() if lines}


def agreed_label(decisions: Mapping[str, str | None]) -> str | None:
    """Return the label on which all who know agree; None where none does, or they differ."""
    labels = {label for label in decisions.values() if label is not None}
    return labels.pop() if len(labels) == 1 else None


def differ(decisions: Mapping[str, str | None]) -> bool:
    """Whether two reviewers gave different labels."""
    return len({label for label in decisions.values() if label is not None}) > 1
