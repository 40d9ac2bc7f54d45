"""The comparison of latency reports as a document: what `edgecl compare --json` prints."""

from __future__ import annotations

from typing import ClassVar, Literal

from runtime.files.document import Document, Part
from runtime.statistics import Interval

RatioVerdict = Literal["faster", "slower", "no difference shown", "undecided"]
"""`faster`, `slower`: the interval does not hold 1. `no difference shown`: it does; a difference
may be smaller than `smallest_shown`. `undecided`: there is no interval, or the machine was too
unsteady for one to mean anything."""

Limit = Literal["kept", "exceeded", "undecided"]
"""`exceeded`: the whole interval lies above the limit. `kept`: the whole of it lies within.
`undecided`: the limit lies inside the interval, or there is none."""

OLD_SIDE: Literal["old"] = "old"
NEW_SIDE: Literal["new"] = "new"


class Figure(Part, frozen=True, kw_only=True):
    """One percentile of one step, old and new.

    Args:
        step: as in the report; `total` is the time from the frame to the decision.
        percentile: `p50`, `p90` or `p99`.
        old_ms, new_ms: milliseconds as they were measured.
        ratio: new over old, after both were divided by the same figure of the side that is
            measured against; above 1 is slower.
        interval: of the ratio, 95 %; None where it is undecided.
        smallest_shown: the smallest slowdown that this interval could have shown, as a share.
        verdict: by the interval.
    """

    step: str
    percentile: str
    old_ms: float
    new_ms: float
    ratio: float
    interval: Interval | None
    smallest_shown: float | None
    verdict: RatioVerdict


class ComparedSide(Part, frozen=True, kw_only=True):
    """A side that both reports hold, or two sides of one report.

    Args:
        old, new: labels in the reports.
        against: label of the unchanged side that both are measured against; None where the
            milliseconds themselves are compared.
        why_undecided: empty where the headline has an interval.
        headline: the median of the total: it alone decides about the side.
        limit: how the headline stands to `fail_if_slower`; None without one.
        figures: every step and percentile that both have enough frames for, the headline's too.
    """

    old: str
    new: str
    against: str | None
    why_undecided: str
    headline: Figure
    limit: Limit | None
    figures: tuple[Figure, ...]


class ReportDifference(Part, frozen=True, kw_only=True):
    """Difference of two reports beside their sides.

    Args:
        code: stable name.
        severity: `spoils`: the times may differ because of it; `note`: worth knowing.
        text: what it was and what it is.
        hint: what to do.
    """

    code: str
    severity: Literal["spoils", "note"]
    text: str
    hint: str


class OnlyIn(Part, frozen=True, kw_only=True):
    """A side that one report alone holds."""

    report: Literal["old", "new"]
    label: str


class ReportFacts(Part, frozen=True, kw_only=True):
    """A compared report: where it is, when it was made, and whether it calls itself VALID."""

    path: str
    created: str
    valid: bool


class LatencyComparison(Document, frozen=True, kw_only=True):
    """Two latency reports, or the sides of one, compared.

    Args:
        old, new: the reports; the same one where its sides are compared with each other.
        comparable: False where a difference between the reports spoils the comparison.
        differences: between the reports beside the times.
        fail_if_slower: share that a side may be slower by; None where there is no limit.
        sides: each with its headline.
        only_in: sides without a counterpart.
    """

    WHAT: ClassVar[str] = "a comparison of latency reports"
    REMEDY: ClassVar[str] = "make one with 'edgecl compare OLD NEW --json'"

    schema: Literal[1] = 1
    kind: Literal["comparison"] = "comparison"
    old: ReportFacts
    new: ReportFacts
    comparable: bool
    differences: tuple[ReportDifference, ...]
    fail_if_slower: float | None
    sides: tuple[ComparedSide, ...]
    only_in: tuple[OnlyIn, ...]
