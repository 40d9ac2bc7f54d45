"""Whether a precision may ship: its answers against the trained model's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from export.gate.comparison import Comparison, compare
from runtime.statistics import Z95, Interval, share_interval

__all__ = ["Comparison", "Limits", "caveat", "compare", "images_to_prove", "reason_to_refuse"]


@dataclass(frozen=True)
class Limits:
    """Limits of the loss of a precision.

    Args:
        max_drop: percentage points of validation accuracy.
        max_escapes: escapes in per cent of the defects that the trained model caught.
    """

    max_drop: float = 0.5
    max_escapes: float = 1.0


def reason_to_refuse(comparison: Comparison, limits: Limits) -> str:
    """Explain why a precision may not ship, on one line; empty where it may."""
    reasons = []
    # What is exactly at the limit must not be refused for a rounding error.
    if comparison.drop > limits.max_drop + 1e-9:
        worst = max(comparison.classes, key=lambda entry: entry.lost)
        reasons.append(
            f"accuracy fell by {comparison.drop:.2f} points, from "
            f"{comparison.reference_accuracy:.2%} to {comparison.accuracy:.2%} "
            f"({_range(comparison.accuracy_interval)}) on {comparison.images} validation "
            f"images; the limit is {limits.max_drop:g}; {worst.label} lost most, "
            f"{worst.lost} of {worst.images}"
        )
    rate, interval = comparison.escape_rate, comparison.escape_interval
    if rate is not None and interval and 100 * rate > limits.max_escapes + 1e-9:
        worst = max(comparison.classes, key=lambda entry: entry.escapes)
        reasons.append(
            f"{comparison.escapes} of {comparison.caught} defects caught by FP32 escape, "
            f"{rate:.2%} ({_range(interval)}); the limit is {limits.max_escapes:g}%; most "
            f"are {worst.label}, {worst.escapes} of {worst.images}"
        )
    return "; ".join(reasons)


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
