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


def anchor_of(pair: SidePair, old: LatencyReport, new: LatencyReport) -> SidePair | None:
    """Return the unchanged side that took turns with this one in both reports.

    It is of the first bundle, which is what a report compares the others with: where possible on
    the same engine in the same precision, since that feels a busy machine alike.
    """
    baseline = (old.sides[0].name, new.sides[0].name)
    olds = {side.label: side for side in old.sides if side.name == baseline[0]}
    candidates = [
        SidePair(olds[side.label.replace(baseline[1], baseline[0], 1)], side)
        for side in new.sides
        if side.name == baseline[1]
        and side.label.replace(baseline[1], baseline[0], 1) in olds
        and side.label != pair.new.label
    ]
    candidates = [
        entry for entry in candidates if entry.unchanged and entry.old.label != pair.old.label
    ]
    if pair.new.name == baseline[1] and pair.old.name == baseline[0]:
        # Sides of the first bundle are measured against its first one, never against each other.
        first = old.sides[0].label
        return next((entry for entry in candidates if entry.old.label == first), None)
    alike = [entry for entry in candidates if feels_alike(pair, entry)]
    return next(iter(alike or candidates), None)


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


def _kind(side: SideReport) -> tuple[str | None, str, str, int | None]:
    return side.encoder, side.precision, side.engine, side.threads


def _identity(side: SideReport) -> tuple[Hashable, ...]:
    return (
        *(side.digest, side.precision, side.engine, side.engine_version, side.device),
        *(side.input, side.tiles),
    )


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
