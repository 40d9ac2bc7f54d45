"""Matching of two reports: sides that belong together, and the one each is measured against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from runtime.benchmark.comparison.document import OnlyIn
from runtime.benchmark.document import LatencyReport, SideReport
from runtime.errors import InputError


class SidePair(NamedTuple):
    """Two sides that belong together."""

    old: SideReport
    new: SideReport

    @property
    def unchanged(self) -> bool:
        """Whether both are the same bundle on the same engine: what is slower is the machine."""
        return self.old.digest is not None and _identity(self.old) == _identity(self.new)


def match_sides(
    old: LatencyReport, new: LatencyReport, chosen: tuple[str, str] | None
) -> tuple[list[SidePair], list[OnlyIn]]:
    """Pair the sides of two reports: by label, then by encoder, precision and engine.

    Args:
        chosen: labels of the one pair that is asked for, in `old` and in `new`; None for all.

    Returns:
        The pairs in the order of `new`, and the sides without a counterpart.

    Raises:
        InputError: no such label, or no side in common.
    """
    if chosen is not None:
        first, second = chosen
        return [SidePair(side_called(first, old, "OLD"), side_called(second, new, "NEW"))], []
    found = _pairs(old.sides, new.sides, lambda side: side.label)
    by_kind = _pairs(
        [side for side in old.sides if side.label not in found.values()],
        [side for side in new.sides if side.label not in found],
        lambda side: _kind(side) if side.encoder else None,
    )
    found |= by_kind
    olds = {side.label: side for side in old.sides}
    pairs = [SidePair(olds[found[side.label]], side) for side in new.sides if side.label in found]
    if not pairs:
        raise InputError(
            f"the reports have no side in common: OLD has {_listed(old)}; NEW has {_listed(new)}",
            hint="name the two to compare: --sides OLD_SIDE NEW_SIDE",
        )
    matched = frozenset(found.values())
    only = [OnlyIn(report="old", label=label) for label in olds if label not in matched]
    only += [
        OnlyIn(report="new", label=side.label) for side in new.sides if side.label not in found
    ]
    return pairs, only


def pairs_within(report: LatencyReport) -> list[SidePair]:
    """Pair the sides of one report.

    Returns:
        Of several bundles, each later one's sides with those of the first in the same precision, on
        the same engine, with the same threads and workers; sides without such a one are left out.
        Of one bundle, and where no two belong together, every side with the first one.
    """
    first = [side for side in report.sides if side.name == report.sides[0].name]
    by_kind = {_way(side): side for side in first}
    pairs = [
        SidePair(by_kind[_way(side)], side)
        for side in report.sides
        if side.name != first[0].name and _way(side) in by_kind
    ]
    return pairs or [SidePair(report.sides[0], side) for side in report.sides[1:]]


def anchor_of(pair: SidePair, old: LatencyReport, new: LatencyReport) -> SidePair | None:
    """Return the unchanged side that took turns with this one in both reports.

    It is of the first bundle in `old` that `new` holds unchanged: where possible on the same engine
    in the same precision, since that feels a busy machine alike.
    """
    unchanged = _unchanged(old, new)
    baseline = [entry for entry in unchanged if entry.old.name == unchanged[0].old.name]
    if baseline and pair.old.name == baseline[0].old.name:
        # Sides of that bundle are measured against its first one, never against each other.
        baseline = baseline[:1]
    others = [
        entry
        for entry in baseline
        if entry.old.label != pair.old.label and entry.new.label != pair.new.label
    ]
    alike = [entry for entry in others if feels_alike(pair, entry)]
    return next(iter(alike or others), None)


def feels_alike(pair: SidePair, anchor: SidePair) -> bool:
    """Whether a busy machine slows both alike: the same encoder and precision on one engine."""
    return _kind(pair.old) == _kind(pair.new) == _kind(anchor.new)


def side_called(label: str, report: LatencyReport, which: str) -> SideReport:
    """Return a side by its label.

    Args:
        which: the report, for the error.

    Raises:
        InputError: there is no such side.
    """
    for side in report.sides:
        if side.label == label:
            return side
    raise InputError(f"{which} has no side {label!r}", hint=f"its sides are {_listed(report)}")


def _way(side: SideReport) -> tuple[Hashable, ...]:
    return side.precision, side.engine, side.threads, side.workers


def _kind(side: SideReport) -> tuple[Hashable, ...]:
    return side.encoder, *_way(side)


def _identity(side: SideReport) -> tuple[Hashable, ...]:
    return (
        *(side.digest, side.precision, side.engine, side.engine_version, side.device),
        *(side.input, side.tiles),
    )


def _unchanged(old: LatencyReport, new: LatencyReport) -> list[SidePair]:
    """Sides that are the same in both reports, in the order of `old`; the label comes first."""
    found = _pairs(old.sides, new.sides, lambda side: side.label)
    found |= _pairs(
        [side for side in old.sides if side.label not in found.values()],
        [side for side in new.sides if side.label not in found],
        _identity,
    )
    olds = {side.label: side for side in old.sides}
    order = list(olds)
    pairs = [SidePair(olds[found[side.label]], side) for side in new.sides if side.label in found]
    pairs.sort(key=lambda entry: order.index(entry.old.label))
    return [entry for entry in pairs if entry.unchanged]


def _pairs(
    olds: Sequence[SideReport], news: Sequence[SideReport], key: Callable[[SideReport], Hashable]
) -> dict[str, str]:
    """Labels of old sides by those of new ones, where a key is there once in both."""
    counts = [Counter(key(side) for side in sides) for sides in (olds, news)]
    labels = {key(side): side.label for side in olds}
    return {
        side.label: labels[key(side)]
        for side in news
        if key(side) is not None and all(count[key(side)] == 1 for count in counts)
    }


def _listed(report: LatencyReport) -> str:
    return ", ".join(f"'{side.label}'" for side in report.sides) or "none"
