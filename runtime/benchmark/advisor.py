"""Advice from a report: the cheapest side that meets a budget and loses no accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.benchmark.document import LatencyReport, SideReport
from runtime.benchmark.facts.advice import Advice, AdvisedSide, BudgetStanding
from runtime.stream.budget import (
    ACT,
    AGE,
    CAPTURE,
    DECIDE,
    DOWNLOAD,
    EMIT,
    HEALTH,
    INFER,
    PREPROCESS,
    TOTAL,
    UPLOAD,
    Budget,
)

UNFIT = frozenset({"no_answer", "other_answers", "dropped_frames", "overloaded"})
"""Rules that a side must not break, however quick its other frames are."""

WORKING = (CAPTURE, HEALTH, PREPROCESS, UPLOAD, INFER, DOWNLOAD, DECIDE, EMIT, ACT)
"""Steps in which something is done; the others are waiting, or sums."""


@dataclass(frozen=True)
class Blame:
    """The step that frames over a limit spent most time in, beyond what is usual.

    Args:
        step: its name.
        excess_ms: mean milliseconds beyond its median, over the frames beyond the limit.
    """

    step: str
    excess_ms: float


def advise(report: LatencyReport, budget: Budget, *, allowed_loss: float = 0.0) -> Advice:
    """Return the cheapest side that keeps all limits at p99.9 and loses no accuracy.

    A limit counts as kept where the upper end of p99.9's interval is below it. What a side costs is
    the time of its cores: the median of the working steps, inference by the number of its threads.
    Of sides that cost the same, the one with fewer workers comes first.

    Args:
        report: with raw times.
        budget: at least one limit.
        allowed_loss: accuracy below the best side's, 0 to 1, that is still taken.
    """
    known = [
        accuracy for side in report.sides if (accuracy := side.accuracy.best_known) is not None
    ]
    best = max(known, default=None)
    needed = report.frames_needed.get("p99_9", 0)
    options = [
        (
            _option(
                side, budget, best, allowed_loss, side.threads or report.scenario.threads, needed
            ),
            side,
        )
        for side in report.sides
        if not side.rival
    ]
    order: Sequence[BudgetStanding] = ("meets", "unproven", "over", "unfit", "less accurate")
    options.sort(
        key=lambda entry: (order.index(entry[0].standing), entry[0].cost_ms, entry[1].workers or 1)
    )
    first, side = options[0]
    chosen = first.label if first.standing == "meets" else ""
    sizes = len({(entry.input, entry.tiles) for entry in report.sides}) > 1
    return Advice(
        budget_ms=budget.to_json(),
        chosen=chosen,
        conclusion=_conclusion(first, budget, _taken(side) if sizes else "")
        + ("" if report.valid else ". The report is INVALID: see why before you rely on it"),
        options=tuple(option for option, _ in options),
    )


def blamed_step(raw: Mapping[str, NDArray[np.int64]], step: str, limit: int) -> Blame | None:
    """Return which working step makes frames exceed a limit.

    Args:
        raw: int64, nanoseconds of N frames by step.
        step: the one with the limit.
        limit: nanoseconds.

    Returns:
        None where no frame exceeds it. Where a step alone has the limit, that step; of a sum such
        as `total`, the step whose time in those frames lies furthest above its median. Where
        frames exceed the limit as a rule, the step that takes longest.
    """
    over = raw[step] > limit
    if not over.any():
        return None
    parts = [name for name in raw if name not in (TOTAL, AGE)]
    if step in parts or not parts:
        excess = float((raw[step][over] - limit).mean())
        return Blame(step, excess / 1e6)
    usual = {name: float(np.median(raw[name])) for name in parts}
    if float(np.median(raw[step])) > limit:
        longest = max(parts, key=usual.__getitem__)
        return Blame(longest, usual[longest] / 1e6)
    beyond = {name: float(raw[name][over].mean()) - usual[name] for name in parts}
    worst = max(parts, key=beyond.__getitem__)
    return Blame(worst, beyond[worst] / 1e6)


def _taken(side: SideReport) -> str:
    """Return how a side takes frames, in words."""
    return side.cut or f"frames stretched to {'x'.join(map(str, side.input[-2:]))}"


def _option(
    side: SideReport,
    budget: Budget,
    best: float | None,
    allowed_loss: float,
    threads: int,
    needed: int,
) -> AdvisedSide:
    accuracy = side.accuracy.best_known
    tails = {step: _tail(side, step) for step in budget.limits}
    standing, blame, reason = _standing(side, budget, tails, needed)
    spoilt = next((finding for finding in side.findings if finding.code in UNFIT), None)
    if spoilt is not None:
        standing, reason = "unfit", spoilt.text
    if best is not None and (accuracy is None or best - accuracy > allowed_loss + 1e-9):
        standing = "less accurate"
        told = "unknown" if accuracy is None else f"{accuracy:.2%}"
        reason = f"its accuracy is {told}, that of the best side {best:.2%}"
    return AdvisedSide(
        label=side.label,
        standing=standing,
        accuracy=accuracy,
        cost_ms=_cost(side, threads),
        p99_9_ms={step: None if tail is None else tail[0] for step, tail in tails.items()},
        blame=blame,
        reason=reason,
    )


def _standing(
    side: SideReport,
    budget: Budget,
    tails: Mapping[str, tuple[float, float] | None],
    needed: int,
) -> tuple[BudgetStanding, str, str]:
    raw = {step: np.asarray(times, np.int64) for step, times in side.raw_ns.items()}
    for step, limit in budget.limits.items():
        tail = tails[step]
        if tail is not None and tail[1] * 1e6 > limit:
            blame = blamed_step(raw, step, limit) if step in raw else None
            where = blame.step if blame else step
            return (
                "over",
                where,
                f"p99.9 of {step} is {tail[0]:.3g} ms (up to {tail[1]:.3g}), limit "
                f"{limit / 1e6:g} ms; {where} is to blame",
            )
    missing = [step for step, tail in tails.items() if tail is None]
    if missing:
        return "unproven", "", f"p99.9 of {missing[0]} takes --frames {needed}, or more"
    return "meets", "", "every limit is kept at p99.9"


def _conclusion(first: AdvisedSide, budget: Budget, taken: str) -> str:
    limits = ", ".join(f"{step} {limit:g} ms" for step, limit in budget.to_json().items())
    if first.standing == "meets":
        return (
            f"{first.label}{f' ({taken})' if taken else ''} is the cheapest that keeps {limits} at "
            f"p99.9 and loses no accuracy: {first.cost_ms:.3g} ms of cores per frame"
        )
    if first.standing == "unproven":
        return f"no side is shown to keep {limits} at p99.9: {first.reason}"
    return f"no side keeps {limits} at p99.9 without losing accuracy: {first.label}: {first.reason}"


def _tail(side: SideReport, step: str) -> tuple[float, float] | None:
    """Return p99.9 and the upper end of its interval, in milliseconds."""
    figures = side.steps.get(step)
    if figures is None or figures.p99_9_ms is None or figures.p99_9_interval_ms is None:
        return None
    return figures.p99_9_ms, figures.p99_9_interval_ms[1]


def _cost(side: SideReport, threads: int) -> float:
    cost = 0.0
    for step in WORKING:
        figures = side.steps.get(step)
        if figures is not None and figures.p50_ms is not None:
            cost += figures.p50_ms * (threads if step == INFER else 1)
    return cost
