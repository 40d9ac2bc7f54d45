"""Whether a precision may ship: its answers against the trained model's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from export.gate.comparison import Comparison, compare
from export.gate.evidence import (
    ESCAPES_SHOWN,
    LOSS_SHOWN,
    MOST_TIMES,
    Changes,
    chance_at_limit,
    exceeds,
    images_to_tell,
    is_shown,
)
from runtime.statistics import Z95, Interval, share_interval

__all__ = [
    "Comparison",
    "GateVerdict",
    "Limits",
    "caveat",
    "compare",
    "images_to_prove",
    "reason_to_refuse",
    "verdict",
]


@dataclass(frozen=True)
class Limits:
    """Limits of the loss of a precision.

    Args:
        max_drop: percentage points of validation accuracy.
        max_escapes: escapes in per cent of the defects that the trained model caught.
        strict: what is beyond a limit by count is refused, also where so few images cannot tell.
    """

    max_drop: float = 0.5
    max_escapes: float = 1.0
    strict: bool = False


@dataclass(frozen=True)
class GateVerdict:
    """Whether a precision may ship; one line each, and at most one of them.

    Args:
        refused: why it may not ship; empty where it may.
        unproven: why it ships although it is beyond a limit by count; empty where it is not.
    """

    refused: str = ""
    unproven: str = ""


def verdict(comparison: Comparison, limits: Limits) -> GateVerdict:
    """Decide whether a precision may ship.

    Beyond a limit by count it is refused where that is shown: where a precision exactly at the
    limit would do as badly in less than `LOSS_SHOWN` of cases, or `ESCAPES_SHOWN` for escapes.
    """
    refused, unproven = [], []
    for loss in _losses(comparison, limits):
        if not exceeds(loss.changes, loss.limit):
            continue
        if limits.strict or loss.limit <= 0:
            refused.append(loss.text)
        elif is_shown(loss.changes, loss.limit, loss.shown):
            refused.append(f"{loss.text}; {_chance(loss)}")
        else:
            doubt = f"{_chance(loss)}, so these images cannot tell; {_more(loss)}"
            unproven.append(f"{loss.text}; {doubt}")
    return GateVerdict("; ".join(refused), "" if refused else "; ".join(unproven))


def reason_to_refuse(comparison: Comparison, limits: Limits) -> str:
    """Explain why a precision may not ship, on one line; empty where it may."""
    return verdict(comparison, limits).refused


@dataclass(frozen=True)
class _Loss:
    """One of the two losses that have a limit.

    Args:
        limit: a share, 0 to 1.
        shown: below which chance it is shown to be beyond the limit.
        what: the images that count.
        text: the loss in words.
    """

    changes: Changes
    limit: float
    shown: float
    what: str
    text: str


def _losses(comparison: Comparison, limits: Limits) -> tuple[_Loss, ...]:
    right = sum(entry.reference for entry in comparison.classes)
    wrong = comparison.images - right
    changes = Changes(comparison.lost, right, comparison.gained, wrong)
    worst = max(comparison.classes, key=lambda entry: entry.lost)
    accuracy = _Loss(
        changes,
        limits.max_drop / 100,
        LOSS_SHOWN,
        "images",
        f"accuracy fell by {comparison.drop:.2f} points, from "
        f"{comparison.reference_accuracy:.2%} to {comparison.accuracy:.2%} "
        f"({_range(comparison.accuracy_interval)}), {comparison.lost} lost and "
        f"{comparison.gained} gained of {comparison.images} validation images; the limit is "
        f"{limits.max_drop:g}; {worst.label} lost most, {worst.lost} of {worst.images}",
    )
    rate, interval = comparison.escape_rate, comparison.escape_interval
    if rate is None or interval is None:
        return (accuracy,)
    worst = max(comparison.classes, key=lambda entry: entry.escapes)
    escapes = _Loss(
        Changes(comparison.escapes, comparison.caught),
        limits.max_escapes / 100,
        ESCAPES_SHOWN,
        "caught defects",
        f"{comparison.escapes} of {comparison.caught} defects caught by FP32 escape, "
        f"{rate:.2%} ({_range(interval)}); the limit is {limits.max_escapes:g}%; most "
        f"are {worst.label}, {worst.escapes} of {worst.images}",
    )
    return accuracy, escapes


def _chance(loss: _Loss) -> str:
    chance = chance_at_limit(loss.changes, loss.limit)
    share = "under 0.1%" if chance < 0.001 else f"{chance:.1%}"
    return f"a precision exactly at the limit does as badly in {share} of cases"


def _more(loss: _Loss) -> str:
    needed = images_to_tell(loss.changes, loss.limit, loss.shown)
    if needed is None:
        return f"it takes more than {MOST_TIMES:,} times the {loss.what} to tell"
    return f"about {needed:,} {loss.what} like these would"


def caveat(comparison: Comparison, limits: Limits) -> str:
    """Explain what the validation part is too small to prove, on one line; empty if nothing.

    A part proves a limit where not one loss in it puts the interval's upper end below the limit.
    """
    found = [
        _too_few(comparison.images, "validation images", limits.max_drop),
        _too_few(comparison.caught, "defects caught by FP32", limits.max_escapes),
    ]
    return "; ".join(text for text in found if text)


def images_to_prove(limit: float) -> int | None:
    """Return how many images without a loss put the 95 % interval's upper end to `limit` or below.

    Args:
        limit: a share, 0 to 1.

    Returns:
        None where no number does.
    """
    # Wilson's upper end for none of n is z² / (n + z²).
    return math.ceil(Z95**2 * (1 / limit - 1) - 1e-9) if limit > 0 else None


def _too_few(count: int, what: str, limit: float) -> str:
    if limit >= 100:
        return ""
    if not count:
        return f"there are no {what}"
    needed = images_to_prove(limit / 100)
    if needed is not None and count >= needed:
        return ""
    more = "no number would" if needed is None else f"{needed} would"
    return (
        f"{count} {what} cannot prove a limit of {limit:g}% ({more}): even with no loss "
        f"the 95% interval reaches {share_interval(0, count)[1]:.2%}"
    )


def _range(interval: Interval) -> str:
    return f"95% interval {interval[0]:.2%} to {interval[1]:.2%}"
