"""Advice of a latency report, in types."""

from __future__ import annotations

from typing import Literal

from runtime.files.document import Part

BudgetStanding = Literal["meets", "over", "unproven", "less accurate", "unfit"]


class AdvisedSide(Part, frozen=True, kw_only=True):
    """A side, as the advisor sees it.

    Args:
        label: of the side.
        standing: `meets` every limit at p99.9; `over` one of them; `unproven` where too few frames
            were measured for p99.9; `less accurate` than the best by more than is allowed; `unfit`
            where it lost frames, or gave no answers or wrong ones.
        accuracy: share of right answers, 0 to 1; None where the bundle does not tell.
        cost_ms: milliseconds of cores per frame, at the median; what makes a side cheap.
        p99_9_ms: of each step with a limit; None where there are too few frames.
        blame: step that is to blame where a limit is not kept; empty elsewhere.
        reason: the standing in words.
    """

    label: str
    standing: BudgetStanding
    accuracy: float | None
    cost_ms: float
    p99_9_ms: dict[str, float | None]
    blame: str
    reason: str


class Advice(Part, frozen=True, kw_only=True):
    """The cheapest side that meets a budget, or why there is none.

    Args:
        budget_ms: limits by step, in milliseconds.
        chosen: label of the side to take; empty where none will do.
        conclusion: one sentence for people.
        options: all sides, those that meet the budget first, by their cost.
    """

    budget_ms: dict[str, float]
    chosen: str
    conclusion: str
    options: tuple[AdvisedSide, ...]
