"""Policies of kept images: rules over verdicts, without pixels or files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from runtime.stream.rules import Rules
from runtime.stream.sinks.images.choice import ImagesChoice
from runtime.stream.verdict import Status, Verdict

NEAR, LABEL, SAMPLE = "near", "label", "sample"


class ImagePolicies:
    """Decides, verdict by verdict, by which policy an image is kept. Not locked.

    The first policy that holds decides: a status, nearness to a threshold, a label, the sample of
    passes.

    Args:
        choice: of the images.
        rules: that verdicts are given by.

    Attributes:
        rules_of: those of a recipe, by its id; None where it does not tell.
        cooled: images that were left out for the cooldown.
    """

    def __init__(self, choice: ImagesChoice, rules: Rules) -> None:
        self.cooled = 0
        self._choice = choice
        self._rules = rules
        self.rules_of: Callable[[str], Rules | None] = lambda recipe: None
        self._every = dict(choice.labels)
        self._seen: Counter[tuple[str, str]] = Counter()
        self._last: dict[tuple[str, str, str], int] = {}

    def of(self, verdict: Verdict) -> str:
        """Return the name of the policy that keeps the image; empty for none."""
        policy = self._holding(verdict)
        if not policy or policy == SAMPLE:
            return policy
        key = (verdict.camera, policy, verdict.decision.label)
        last = self._last.get(key)
        if last is not None and verdict.captured_ns - last < self._choice.cooldown_ns:
            self.cooled += 1
            return ""
        self._last[key] = verdict.captured_ns
        return policy

    def _holding(self, verdict: Verdict) -> str:
        decision, statuses = verdict.decision, self._choice.statuses
        if decision.status in statuses:
            return decision.status.value
        if decision.late and Status.LATE in statuses:
            return Status.LATE.value
        if self._is_near(verdict):
            return NEAR
        if decision.label in self._every and self._is_due(
            verdict.camera, f"{LABEL} {decision.label}", self._every[decision.label]
        ):
            return LABEL
        sampled = decision.status is Status.PASS and self._choice.sample
        if sampled and self._is_due(verdict.camera, SAMPLE, self._choice.sample):
            return SAMPLE
        return ""

    def _is_due(self, camera: str, counted: str, every: int) -> bool:
        """Whether this is the first of so many."""
        seen = self._seen[camera, counted]
        self._seen[camera, counted] = seen + 1
        return seen % every == 0

    def _is_near(self, verdict: Verdict) -> bool:
        """Whether a little more, or less, would have given another status."""
        near, decision = self._choice.near, verdict.decision
        if near is None or not decision.label:
            return False
        rules = self.rules_of(verdict.recipe) or self._rules
        threshold = rules.unsure_below_of.get(decision.label, rules.unsure_below)
        if abs(decision.confidence - threshold) <= near:
            return True
        distance = decision.distance
        return distance is not None and abs(distance / rules.unknown_above - 1) <= near
