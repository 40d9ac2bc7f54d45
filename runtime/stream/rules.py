"""Rules that turn a model's answers into what the line acts on. Pure: the state is passed in."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from runtime.artifact.contract import ModelContract
from runtime.counting import counted
from runtime.errors import InputError
from runtime.stream.budget import Budget
from runtime.stream.verdict import Decision, Status

UNSURE_BELOW = 0.5
UNKNOWN_ABOVE = 1.0

ON_LATE = (Status.LATE, Status.REJECT, Status.PASS, Status.UNSURE)
"""Statuses that may go out where there is no verdict by the deadline; the first by default."""

MOST_FRAMES = 1000
"""Longest window of the debounce rule, in frames."""


@dataclass(frozen=True)
class Debounce:
    """A reject goes out only where `needed` of the last `window` frames were rejects.

    Args:
        needed: rejects, this frame's among them; at least 1.
        window: frames, this one included.
    """

    needed: int
    window: int

    def __str__(self) -> str:
        return f"{self.needed}/{self.window}"


@dataclass(frozen=True)
class Rules:
    """Rules that frames are judged by.

    Args:
        budget: limits per step and for the whole.
        unsure_below: a confidence below this is `unsure`.
        bits: how many bits of 16-bit frames are used, in place of the contract's.
        unsure_below_of: the thresholds of labels that have their own.
        pass_labels: in place of the contract's; empty for those.
        debounce: None lets each reject go out.
        on_late: one of `ON_LATE`.
        unknown_above: a distance from the training images above this is `unknown`; 1 is the limit
            of the bundle.
    """

    budget: Budget = field(default_factory=Budget)
    unsure_below: float = UNSURE_BELOW
    bits: int | None = None
    unsure_below_of: Mapping[str, float] = field(default_factory=dict)
    pass_labels: tuple[str, ...] = ()
    debounce: Debounce | None = None
    on_late: Status = Status.LATE
    unknown_above: float = UNKNOWN_ABOVE

    def applied_to(self, contract: ModelContract) -> ModelContract:
        """Return the contract with these pass labels.

        Raises:
            InputError: a rule names a label that the model has not.
        """
        for label in (*self.pass_labels, *self.unsure_below_of):
            if label not in contract.labels:
                raise InputError(
                    f"the model has no label {label!r}",
                    hint=f"choose from {', '.join(contract.labels)}",
                )
        return replace(contract, pass_labels=self.pass_labels) if self.pass_labels else contract


def recognised(decision: Decision, distance: float | None, above: float) -> Decision:
    """Call a frame `unknown` that is too far from the training images, whatever its label.

    Args:
        decision: by the model's probabilities alone, as `decide` gives it.
        distance: from the training images, relative to the limit; None where it is not known.
        above: the largest distance of a known frame.

    Returns:
        The decision with its distance; a `fault` where that is not a number.
    """
    if distance is None or decision.status is Status.FAULT:
        return decision
    if not math.isfinite(distance):
        return Decision(Status.FAULT, reason="the model returned a NaN or infinite embedding")
    status, reason = decision.status, ""
    if distance > above:
        status = Status.UNKNOWN
        reason = f"{distance:.2f} times as far from the training images as the limit"
    # Not `replace`, which looks up all fields of its class for every frame.
    return Decision(status, decision.label, decision.confidence, reason, distance=distance)


class Debouncer:
    """The debounce rule over frames in their order.

    Args:
        rule: None lets each reject out.
    """

    def __init__(self, rule: Debounce | None = None) -> None:
        self._rule = rule
        self._recent: tuple[bool, ...] = ()

    def note(self, decision: Decision) -> Decision:
        """Note a frame's answer among the recent ones, and hold a lone reject back."""
        if self._rule is not None:
            decision, self._recent = debounced(decision, self._recent, self._rule)
        return decision


def debounced(
    decision: Decision, recent: tuple[bool, ...], rule: Debounce
) -> tuple[Decision, tuple[bool, ...]]:
    """Hold a reject back until enough of the last frames were rejects.

    A reject that is held back goes out as `pass`, and keeps its label; `answer` is `reject`. Every
    other status goes out as it is, and stands among the last frames as no reject.

    Args:
        decision: on this frame, from the model's answer alone.
        recent: whether each of the frames before was a reject, the latest last; at most
            `window` - 1 are looked at.
        rule: how many of how many.

    Returns:
        What goes out, and `recent` for the next frame.
    """
    before = recent[-(rule.window - 1) :] if rule.window > 1 else ()
    window = (*before, decision.status is Status.REJECT)
    rejects = sum(window)
    if decision.status is Status.REJECT and rejects < rule.needed:
        reason = (
            f"{rejects} of the last {counted(rule.window, 'frame')} rejected; {rule.needed} needed"
        )
        decision = replace(decision, status=Status.PASS, answer=Status.REJECT, reason=reason)
    return decision, window


def parse_debounce(text: str) -> Debounce:
    """Read `N/M`, as in `2/3`.

    Raises:
        InputError: it is not that, or not 1 ≤ N ≤ M ≤ `MOST_FRAMES`.
    """
    match = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text, re.ASCII)
    if match is None:
        raise InputError(f"{text!r} is not N/M", hint="for example: --debounce 2/3")
    needed, window = int(match[1]), int(match[2])
    if not 1 <= needed <= window <= MOST_FRAMES:
        raise InputError(
            f"{text!r} is not N of M frames",
            hint=f"use 1 or more for N, and N to {MOST_FRAMES} for M",
        )
    return Debounce(needed, window)


def parse_threshold(text: str) -> tuple[str, float]:
    """Read a threshold of confidence: `0.9`, or `LABEL=0.9`.

    Returns:
        The label, empty for all, and the threshold.

    Raises:
        InputError: it is not a number from 0 to 1.
    """
    label, equals, number = text.rpartition("=")
    try:
        threshold = float(number)
    except ValueError:
        threshold = -1.0
    if not 0 <= threshold <= 1 or (equals and not label):
        raise InputError(
            f"{text!r} is not a number from 0 to 1",
            hint="pass a share as in 0.9, or one label's as in scratch=0.9",
        )
    return label, threshold


def parse_thresholds(texts: Sequence[str]) -> tuple[float, Mapping[str, float]]:
    """Read thresholds of confidence.

    Returns:
        The one for all labels, and those of single labels.

    Raises:
        InputError: one is no threshold, or two are for the same.
    """
    found: dict[str, float] = {}
    for text in texts:
        label, threshold = parse_threshold(text)
        if label in found:
            raise InputError(
                f"the least confidence of {label or 'all labels'} is given twice",
                hint="keep one --unsure-below of them",
            )
        found[label] = threshold
    return found.pop("", UNSURE_BELOW), found
