"""The threshold that a rule chooses, and why none can be proven. Pure.

Thresholds are tried one after the other from the strictest on, and the first that is not proven
ends it (fixed sequence testing; Angelopoulos et al., "Learn then Test", 2021). So the proof holds
for the chosen one, although it was chosen on the same images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edgecl.tuning.curve import SharePoint, ThresholdPoint
from edgecl.tuning.proof import count_to_prove, is_proven, least_provable
from runtime.errors import InputError
from runtime.image.folder.notes import shown


@dataclass(frozen=True)
class TuningRule:
    """Limits that the threshold has to keep.

    Args:
        max_escapes: share of defects that may pass; None where false rejects are limited.
        max_escapes_of: the same by class, beside it.
        max_false_rejects: share of good parts that may not pass; None where escapes are limited.
    """

    max_escapes: float | None = None
    max_escapes_of: Mapping[str, float] = field(default_factory=dict)
    max_false_rejects: float | None = None

    def __str__(self) -> str:
        if self.max_false_rejects is not None:
            return f"fewest escapes with at most {percent(self.max_false_rejects)} false rejects"
        limits = [] if self.max_escapes is None else [f"{percent(self.max_escapes)} escapes"]
        limits += [f"{percent(limit)} of {name}" for name, limit in self.max_escapes_of.items()]
        return f"fewest false rejects with at most {' and '.join(limits)}"


def chosen_point(curve: Sequence[ThresholdPoint], rule: TuningRule) -> ThresholdPoint:
    """Return the threshold that the rule chooses.

    Args:
        curve: ascending.

    Raises:
        InputError: the images are too few to prove what is asked, or they show too many.
    """
    if rule.max_false_rejects is not None:
        limit = rule.max_false_rejects
        _require(curve[0].false_rejects, limit, "good parts", "are rejected", "--max-false-rejects")
        kept = _proven(curve, lambda point: is_proven(*_pair(point.false_rejects), limit))
        _require_one(kept, curve[0].false_rejects, limit, "good parts", "are rejected")
        return kept[-1]
    limits: list[tuple[str, float]] = [(name, limit) for name, limit in rule.max_escapes_of.items()]
    if rule.max_escapes is not None:
        limits.insert(0, ("", rule.max_escapes))
    strictest = curve[-1]
    for name, limit in limits:
        what = f"defects of {shown(name)}" if name else "defects"
        _require(_escapes(strictest, name), limit, what, "escape", "--max-escapes")
    kept = _proven(
        curve[::-1],
        lambda point: all(
            is_proven(*_pair(_escapes(point, name)), limit) for name, limit in limits
        ),
    )
    for name, limit in limits:
        _require_one(kept, _escapes(strictest, name), limit, name or "defects", "escape")
    fewest = kept[-1].false_rejects.found
    # Of those that hold back as few, the strictest.
    return next(point for point in kept if point.false_rejects.found == fewest)


def percent(share: float) -> str:
    """Return a share in percent, with as many digits as it needs."""
    digits = 0 if share == 0 else max(0, 1 - math.floor(math.log10(100 * share)))
    text = f"{100 * share:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def _escapes(point: ThresholdPoint, name: str) -> SharePoint:
    return point.escapes_of.get(name, SharePoint(0, 0)) if name else point.escapes


def _pair(point: SharePoint) -> tuple[int, int]:
    return point.found, point.count


def _proven(
    points: Iterable[ThresholdPoint], holds: Callable[[ThresholdPoint], bool]
) -> list[ThresholdPoint]:
    kept = []
    for point in points:
        if not holds(point):
            break
        kept.append(point)
    return kept


def _require(point: SharePoint, limit: float, what: str, they: str, option: str) -> None:
    """Refuse a limit that no outcome of so few could prove."""
    needed = count_to_prove(limit)
    if point.count < needed:
        least = least_provable(point.count)
        hint = f"label more {what}"
        if point.count and least < 1:
            hint += f", or ask for {option} {_rounded_up(least)}%"
        raise InputError(
            f"{point.count} {what} are too few to prove that at most {percent(limit)} {they}: that "
            f"takes {needed:,}, without a single one",
            hint=hint,
        )


def _require_one(
    kept: Sequence[ThresholdPoint], best: SharePoint, limit: float, what: str, they: str
) -> None:
    if kept:
        return
    raise InputError(
        f"no threshold is proven to keep to {percent(limit)}: {best.found} of {best.count:,} "
        f"{what} {they} at the best one, and that takes "
        f"{count_to_prove(limit, best.found):,}",
        hint="train on images like them, allow more, or label more",
    )


def _rounded_up(share: float) -> str:
    """Return a share in percent that is not below it, in two digits."""
    scale = 10 ** (1 - math.floor(math.log10(100 * share)))
    return f"{math.ceil(100 * share * scale) / scale:g}"


def parse_limit(text: str) -> tuple[str, float]:
    """Read a limit: `0.5%`, `0.005`, or `LABEL=0.1%`.

    Returns:
        The label, empty for all, and the share.

    Raises:
        InputError: it is no share above 0 and below 1.
    """
    label, equals, number = text.rpartition("=")
    amount = number.strip()
    try:
        share = float(amount.removesuffix("%")) / (100 if amount.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 < share < 1 or (equals and not label):
        raise InputError(
            f"{text!r} is not a share above 0 and below 100 %",
            hint="as in 0.5%, or scratch=0.1% for one label; 0 cannot be proven",
        )
    return label, share
