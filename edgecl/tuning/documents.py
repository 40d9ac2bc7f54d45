"""Summary of a tuning, for machines."""

from __future__ import annotations

from typing import ClassVar, Literal

from runtime.files.document import Document, Part
from runtime.statistics import Interval


class TunedShare(Part, frozen=True, kw_only=True):
    """A share of groups: how many of how many, and its 95 % interval (Wilson)."""

    found: int
    count: int
    share: float | None
    interval: Interval | None


class TunedPoint(Part, frozen=True, kw_only=True):
    """Outcome at one threshold of pass labels' confidence.

    Args:
        escapes: defects of which an image passes.
        false_rejects: good parts of which an image does not pass.
        escapes_of: by defect class.
    """

    threshold: float
    escapes: TunedShare
    false_rejects: TunedShare
    escapes_of: dict[str, TunedShare]


class TuningSummary(Document, frozen=True, kw_only=True):
    """Summary that `edgecl tune --json` prints.

    Args:
        model: the bundle.
        precision, engine: that answered.
        pass_labels: whose threshold it is.
        rule: in words; None where none was given.
        chosen: what the rule chose.
        now: outcome at the thresholds that the line has now; its `threshold` is that of the pass
            label with the lowest.
        curve: ascending.
        images: by source.
        groups: of all of them.
        config: where the threshold was written; None where it was not.
        page: for people.
    """

    WHAT: ClassVar[str] = "a summary of tuned thresholds"
    REMEDY: ClassVar[str] = "pass what 'edgecl tune --json' printed"

    schema: Literal[1] = 1
    model: str
    precision: str
    engine: str
    pass_labels: tuple[str, ...]
    rule: str | None
    chosen: TunedPoint | None
    now: TunedPoint
    curve: tuple[TunedPoint, ...]
    images: dict[str, int]
    groups: int
    notes: tuple[str, ...]
    config: str | None
    page: str
