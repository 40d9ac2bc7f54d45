"""Rule that joins frames of several cameras to parts, as given on the command line."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.stream.budget import parse_time

TRIGGER = "trigger"

WAIT_NS = 1_000_000_000
"""Longest wait for a camera in service, where neither a budget nor a deadline limits it."""

_EXAMPLE = "for example: --part-of 20ms, or --part-of trigger"


@dataclass(frozen=True)
class PartRule:
    """Rule of what belongs to one part.

    Args:
        window_ns: captures that began within so many nanoseconds; None for equal frame numbers.
        deadline_ns: nanoseconds from the first capture to the part's verdict; None to wait.
    """

    window_ns: int | None
    deadline_ns: int | None


def parse_window(text: str) -> int | None:
    """Read `20ms`, or `trigger`, which is None.

    Raises:
        InputError: it is neither.
    """
    return None if text.strip() == TRIGGER else parse_time(text.strip(), _EXAMPLE)


def part_rule(
    window: str, deadline: str | None, *, budget_ns: int | None, in_service: bool
) -> PartRule:
    """Return the rule of these texts.

    Without a deadline of its own, a part may take as long as the total budget of a frame that came
    at the end of the window; without a budget, a second more than the window. What is stored can
    be waited for, where frames are matched by number.

    Args:
        window: as `parse_window` reads it.
        deadline: a time; None for the default.
        budget_ns: the total budget in nanoseconds.
        in_service: whether frames come in their own time.

    Raises:
        InputError: one of the texts is not a time.
    """
    window_ns = parse_window(window)
    if deadline is not None:
        return PartRule(window_ns, parse_time(deadline, "for example: --part-deadline 500ms"))
    if budget_ns is not None:
        return PartRule(window_ns, (window_ns or 0) + budget_ns)
    if window_ns is None and not in_service:
        return PartRule(None, None)
    return PartRule(window_ns, (window_ns or 0) + WAIT_NS)
