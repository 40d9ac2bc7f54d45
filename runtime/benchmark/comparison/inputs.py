"""Checks of what is compared: whether it has times, and whether it is the same bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runtime.benchmark.comparison.document import ReportDifference
from runtime.benchmark.comparison.matching import SidePair
from runtime.benchmark.document import LatencyReport, SideReport
from runtime.benchmark.sides import TOTAL
from runtime.errors import InputError

LONGEST_NS = 2**62
"""Longer than any measurement, and still a 64-bit integer."""


def require_times(report: LatencyReport, path: Path) -> None:
    """Refuse a report that has no times to compare.

    Args:
        path: of its file, for the error.

    Raises:
        InputError: no side, no raw times, or one that no clock gives.
    """
    if not report.sides:
        raise InputError(f"{path} has no side", hint="measure again with 'edgecl bench'")
    for side in report.sides:
        if not side.raw_ns.get(TOTAL):
            raise InputError(
                f"{path} has no raw times of {side.label!r}",
                hint="pass the latency.json of 'edgecl bench', not what its --json prints",
            )
        for step, row in side.raw_ns.items():
            if row and not 0 <= min(row) <= max(row) <= LONGEST_NS:
                raise InputError(
                    f"{path} is malformed: {side.label!r} has a time in {step!r} that no clock "
                    "gives",
                    hint="measure again with 'edgecl bench'",
                )


def bundle_differences(pairs: Sequence[SidePair]) -> list[ReportDifference]:
    """Differences between the sides: another bundle may be the very thing that is compared."""
    found: dict[tuple[str, str], ReportDifference] = {}
    for pair in pairs:
        for code, words, before, after, hint in (
            ("bundle", "digest of the bundle", _short(pair.old), _short(pair.new), _OTHER_BUNDLE),
            ("input", "input of the network", pair.old.input, pair.new.input, _OTHER_BUNDLE),
            ("tiles", "tiles per frame", pair.old.tiles, pair.new.tiles, _OTHER_BUNDLE),
            ("device", "device", pair.old.device, pair.new.device, "measure both on one device"),
        ):
            if before != after:
                name = pair.new.name if code in ("bundle", "input", "tiles") else pair.new.label
                found.setdefault(
                    (code, name),
                    ReportDifference(
                        code=code,
                        severity="note",
                        text=f"{name}: {words} {_words(before)} in OLD, {_words(after)} in NEW",
                        hint=hint,
                    ),
                )
    return list(found.values())


_OTHER_BUNDLE = "where the bundle should be the same, measure the old one again"


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return "none" if value is None else str(value)


def _short(side: SideReport) -> str | None:
    return None if side.digest is None else side.digest[:12]
