"""The comparison of two latency reports, or of the sides of one."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np

from runtime.benchmark.comparison.conditions import (
    SPOILS,
    differences,
    require_same_scenario,
    unsteady,
)
from runtime.benchmark.comparison.document import (
    ComparedSide,
    Figure,
    LatencyComparison,
    Limit,
    ReportFacts,
)
from runtime.benchmark.comparison.estimate import (
    PLACEMENT,
    PLACEMENT_OF_STEP,
    RatioEstimate,
    between_anchored,
    between_plain,
    within_report,
)
from runtime.benchmark.comparison.inputs import bundle_differences, require_times
from runtime.benchmark.comparison.matching import (
    SidePair,
    anchor_of,
    feels_alike,
    match_sides,
    pairs_within,
    side_called,
)
from runtime.benchmark.document import LatencyReport, SideReport
from runtime.benchmark.measuring.relative import LEAST_GROUPS, TurnTimes, relative
from runtime.benchmark.report import QUANTILES
from runtime.benchmark.sides import TOTAL
from runtime.errors import InputError
from runtime.statistics import count_needed, quantile

PERCENTILES = {name: QUANTILES[name] for name in ("p50", "p90", "p99")}

RatioJudge = Callable[[str, Sequence[float]], "list[RatioEstimate] | None"]
"""Gives the estimates of a step at each share; None where there is none."""


def compare_reports(
    old: LatencyReport,
    new: LatencyReport,
    *,
    paths: tuple[Path, Path],
    sides: tuple[str, str] | None = None,
    limit: float | None = None,
) -> LatencyComparison:
    """Compare the sides that two reports have in common.

    Args:
        old, new: with raw times.
        paths: of their files.
        sides: labels of the one pair to compare, in `old` and in `new`; None for all.
        limit: share that a side may be slower by.

    Raises:
        InputError: another scenario, no raw times, no side in common, or twice the same report.
    """
    for report, path in zip((old, new), paths, strict=True):
        require_times(report, path)
    if old == new:
        raise InputError(
            f"both are the same report, of {old.created}",
            hint=f"its sides are compared with each other by: edgecl compare {paths[0]}",
        )
    require_same_scenario(old, new)
    pairs, only = match_sides(old, new, sides)
    found = differences(old, new)
    return LatencyComparison(
        old=_facts(old, paths[0]),
        new=_facts(new, paths[1]),
        comparable=all(entry.severity != SPOILS for entry in found),
        differences=(*found, *bundle_differences(pairs)),
        fail_if_slower=limit,
        sides=tuple(_between(pair, old, new, limit) for pair in pairs),
        only_in=tuple(only),
    )


def compare_sides(
    report: LatencyReport,
    *,
    path: Path,
    sides: tuple[str, str] | None = None,
    limit: float | None = None,
) -> LatencyComparison:
    """Compare sides of one report, which took turns: the sharpest comparison there is.

    Args:
        report: with raw times.
        path: of its file.
        sides: labels of the two, the second against the first; None for those of later bundles
            against the first bundle's, or of one bundle all against its first.
        limit: share that a side may be slower by.

    Raises:
        InputError: no raw times, no such side, or fewer than two sides.
    """
    require_times(report, path)
    if sides is not None:
        first, second = (side_called(label, report, str(path)) for label in sides)
        if first.label == second.label:
            raise InputError(
                f"--sides names {first.label!r} twice", hint="name two sides of the report"
            )
        pairs = [SidePair(first, second)]
    else:
        pairs = pairs_within(report)
    if not pairs:
        raise InputError(
            f"{path} has one side, {report.sides[0].label!r}, and nothing to compare it with",
            hint="give a second report: edgecl compare OLD NEW",
        )
    facts = _facts(report, path)
    return LatencyComparison(
        old=facts,
        new=facts,
        comparable=True,
        differences=(),
        fail_if_slower=limit,
        sides=tuple(_within(pair, report, limit) for pair in pairs),
        only_in=(),
    )


def _within(pair: SidePair, report: LatencyReport, limit: float | None) -> ComparedSide:
    rounds = report.scenario.rounds

    def judge(step: str, shares: Sequence[float]) -> list[RatioEstimate] | None:
        found = relative(_times(pair.new, step), _times(pair.old, step), shares, rounds=rounds)
        if found is None:
            return None
        return [
            within_report(entry, placement=_placement(step, share))
            for entry, share in zip(found, shares, strict=True)
        ]

    return _compared(pair, judge, None, "", limit, _few_turns(rounds))


def _between(
    pair: SidePair, old: LatencyReport, new: LatencyReport, limit: float | None
) -> ComparedSide:
    anchor = anchor_of(pair, old, new)
    rounds = (old.scenario.rounds, new.scenario.rounds)
    doubts = dict.fromkeys((*unsteady(old, pair.old.label), *unsteady(new, pair.new.label)))
    doubt = f"the milliseconds of a report that is INVALID ({', '.join(doubts)}) tell nothing"

    def judge(step: str, shares: Sequence[float]) -> list[RatioEstimate] | None:
        anchors = (None, None) if anchor is None else _anchor_times(anchor, step)
        found = [
            relative(_times(side, step), other, shares, rounds=count)
            for side, other, count in zip(pair, anchors, rounds, strict=True)
        ]
        if found[0] is None or found[1] is None:
            return None
        if anchor is None:
            return [between_plain(*entry) for entry in zip(found[0], found[1], strict=True)]
        machine = math.log(_undisturbed(anchor.new) / _undisturbed(anchor.old))
        alike = feels_alike(pair, anchor)
        return [
            between_anchored(
                *entry, machine=machine, felt_alike=alike, placement=_placement(step, share)
            )
            for *entry, share in zip(found[0], found[1], shares, strict=True)
        ]

    return _compared(
        pair,
        judge,
        None if anchor is None else anchor.new.label,
        doubt if anchor is None and doubts else "",
        limit,
        _few_turns(min(rounds)),
        # Interruptions add to a time: no unchanged side tells what they cost another.
        tails_doubtful=bool(doubts),
    )


def _compared(
    pair: SidePair,
    judge: RatioJudge,
    against: str | None,
    doubt: str,
    limit: float | None,
    few: str,
    *,
    tails_doubtful: bool = False,
) -> ComparedSide:
    """Judge every step and percentile of a pair.

    Args:
        doubt: why no interval means anything; empty where one does.
        few: what is said where there are too few turns for one.
        tails_doubtful: whether none means anything beside that of a median.
    """
    doubtful = () if not (doubt or tails_doubtful) else tuple(PERCENTILES)[0 if doubt else 1 :]
    figures: list[Figure] = []
    for step in (TOTAL, *(name for name in pair.new.raw_ns if name != TOTAL)):
        if pair.old.raw_ns.get(step) and pair.new.raw_ns[step]:
            figures += _figures(pair, step, judge, doubtful)
    headline = figures[0]
    return ComparedSide(
        old=pair.old.label,
        new=pair.new.label,
        against=against,
        why_undecided=doubt or (few if headline.interval is None else ""),
        headline=headline,
        limit=None if limit is None else _stands(headline, limit),
        figures=tuple(figures),
    )


def _figures(
    pair: SidePair, step: str, judge: RatioJudge, doubtful: Collection[str]
) -> list[Figure]:
    rows = [np.sort(_times(side, step)) for side in pair]
    count = min(len(row) for row in rows)
    # The median has to be there, however few frames it is of: it is the headline.
    shares = {
        name: share
        for name, share in PERCENTILES.items()
        if name == "p50" or count >= count_needed(share)
    }
    estimates = judge(step, list(shares.values()))
    figures = []
    for number, (name, share) in enumerate(shares.items()):
        values = [max(1.0, quantile(row, share)) for row in rows]
        certain = None if estimates is None or name in doubtful else estimates[number]
        figures.append(
            Figure(
                step=step,
                percentile=name,
                old_ms=round(values[0] / 1e6, 6),
                new_ms=round(values[1] / 1e6, 6),
                ratio=round(values[1] / values[0] if certain is None else certain.ratio, 4),
                interval=_rounded(certain),
                smallest_shown=None if certain is None else round(certain.smallest_shown, 4),
                verdict="undecided" if certain is None else certain.verdict,
            )
        )
    return figures


def _stands(headline: Figure, limit: float) -> Limit:
    if headline.interval is None:
        return "undecided"
    low, high = headline.interval
    if low > 1 + limit:
        return "exceeded"
    return "kept" if high <= 1 + limit else "undecided"


def _facts(report: LatencyReport, path: Path) -> ReportFacts:
    return ReportFacts(path=str(path), created=report.created, valid=report.valid)


def _few_turns(rounds: int) -> str:
    return f"{rounds} turns are too few for an interval, which needs {LEAST_GROUPS}"


def _times(side: SideReport, step: str) -> TurnTimes:
    return np.asarray(side.raw_ns[step], np.int64)


def _anchor_times(anchor: SidePair, step: str) -> tuple[TurnTimes, TurnTimes]:
    """TurnTimes of the same step, or of the total where the anchor's engine has no such step."""
    own = step if all(side.raw_ns.get(step) for side in anchor) else TOTAL
    return _times(anchor.old, own), _times(anchor.new, own)


def _undisturbed(side: SideReport) -> float:
    """The lower quartile of the total: the machine's speed where no other process interrupts."""
    return max(1.0, float(np.quantile(_times(side, TOTAL), 0.25)))


def _placement(step: str, share: float) -> float:
    return PLACEMENT if (step, share) == (TOTAL, PERCENTILES["p50"]) else PLACEMENT_OF_STEP


def _rounded(estimate: RatioEstimate | None) -> tuple[float, float] | None:
    if estimate is None:
        return None
    low, high = estimate.interval
    return round(low, 4), round(high, 4)
