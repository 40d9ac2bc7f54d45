"""The stream's accounts: every captured frame ends up in exactly one column."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runtime.stream.budget import STEPS
from runtime.stream.latency import LatencyHistogram
from runtime.stream.verdict import Status, Verdict


@dataclass(frozen=True)
class Snapshot:
    """The accounts of one moment.

    Args:
        captured: frames that the camera delivered, broken ones included.
        judged: frames with a verdict other than `fault`; late ones count.
        late: judged frames without a verdict by their deadline, whatever status went out.
        late_answers: answers that came after the fail-safe status, by their status.
        held_back: rejects that the debounce rule let pass.
        dropped: frames that a newer one displaced before their turn.
        faulty: frames with the verdict `fault`.
        misses: judged frames of which a step or the total was over its limit, once per frame.
        misses_by_step: how often each step was over its limit.
        statuses: verdicts by status.
        histograms: durations by step.
        known: judged frames, in time, whose right label the camera knew.
        right: how many of those got it.
        health: health faults by name; empty where nobody looked.
        last: the latest verdict.
        recipes: verdicts by status, by id and digest of the recipe; empty where there are none.
    """

    captured: int
    judged: int
    dropped: int
    faulty: int
    misses: int
    misses_by_step: Mapping[str, int]
    statuses: Mapping[str, int]
    histograms: Mapping[str, LatencyHistogram]
    known: int
    right: int
    health: Mapping[str, int]
    last: Verdict | None
    late: int = 0
    late_answers: Mapping[str, int] = field(default_factory=dict)
    held_back: int = 0
    recipes: Mapping[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Whether captured = judged + dropped + faulty. While a stream runs, frames are open."""
        return self.captured == self.judged + self.dropped + self.faulty

    @property
    def miss_share(self) -> float:
        """Misses per judged frame, 0 to 1."""
        return self.misses / max(1, self.judged)


class Ledger:
    """Counts from several threads. Memory does not grow with the stream.

    Args:
        labels: the model's labels; another truth is not counted, since it cannot be got right.
        recipe: id and digest of the recipe that the stream begins with.
    """

    def __init__(self, labels: Sequence[str], recipe: tuple[str, str] = ("", "")) -> None:
        self._labels = {recipe: frozenset(labels)}
        self._lock = threading.Lock()
        self._acts_ended = threading.Condition(self._lock)
        self._open_acts = 0
        self._open = True
        self._captured = self._judged = self._dropped = self._faulty = 0
        self._misses = self._known = self._right = self._late = self._held_back = 0
        self._late_answers: dict[str, int] = {}
        self._misses_by_step: dict[str, int] = {}
        self._statuses = {status.value: 0 for status in Status}
        self._histograms: dict[str, LatencyHistogram] = {}
        self._health: dict[str, int] = {}
        self._last: Verdict | None = None
        self._recipes: dict[tuple[str, str], dict[str, int]] = {}

    def add_recipe(self, recipe: tuple[str, str], labels: Sequence[str]) -> None:
        """Say which labels a recipe has, before its first verdict.

        Args:
            recipe: its id and digest.
        """
        with self._lock:
            self._labels[recipe] = frozenset(labels)

    def accept(self) -> bool:
        """Count a captured frame; False once the accounts are closed."""
        with self._lock:
            if self._open:
                self._captured += 1
            return self._open

    def drop(self) -> None:
        """Count a frame that was displaced."""
        with self._lock:
            self._dropped += 1

    def count_health(self, fault: str, frames: int = 1) -> None:
        """Count a health fault; with 0 frames, say that it is looked for."""
        with self._lock:
            self._health[fault] = self._health.get(fault, 0) + frames

    def settle(self, verdict: Verdict, steps: Mapping[str, int], exceeded: Sequence[str]) -> None:
        """Count a verdict.

        Args:
            verdict: what went out.
            steps: nanoseconds by step, `total` included.
            exceeded: the steps that were over their limit.
        """
        decision, recipe = verdict.decision, (verdict.recipe, verdict.digest)
        with self._lock:
            self._open_acts += verdict.act is not None
            self._last = verdict
            if verdict.recipe:
                counts = self._recipes.setdefault(recipe, {})
                counts[decision.status.value] = counts.get(decision.status.value, 0) + 1
            self._statuses[decision.status.value] += 1
            if decision.status is Status.FAULT:
                self._faulty += 1
            else:
                self._judged += 1
                self._late += decision.late
                self._held_back += not decision.late and decision.answer is Status.REJECT
                if exceeded or decision.late:
                    self._misses += 1
                if verdict.truth in self._labels.get(recipe, ()) and not decision.late:
                    self._known += 1
                    self._right += decision.label == verdict.truth
            self._record(steps, exceeded)

    def add_steps(self, steps: Mapping[str, int], exceeded: Sequence[str]) -> None:
        """Count the step times of a frame that already had its verdict when they were known."""
        with self._lock:
            self._record(steps, exceeded)

    def add_act(self, steps: Mapping[str, int], exceeded: Sequence[str], *, miss: bool) -> None:
        """Count the times of an act, which ended after its verdict was settled.

        Args:
            miss: whether this made the frame a miss.
        """
        with self._lock:
            self._misses += miss
            self._record(steps, exceeded)
            self._open_acts -= 1
            self._acts_ended.notify_all()

    def wait_for_acts(self, timeout_s: float) -> None:
        """Wait until the acts of all verdicts have ended, or the time is up."""
        with self._lock:
            self._acts_ended.wait_for(lambda: not self._open_acts, timeout_s)

    def add_late_answer(self, status: Status) -> None:
        """Count an answer that came after the frame's verdict."""
        with self._lock:
            self._late_answers[status.value] = self._late_answers.get(status.value, 0) + 1

    def close(self) -> None:
        """Accept no more frames: a camera that answers after the end is not counted."""
        with self._lock:
            self._open = False

    def snapshot(self) -> Snapshot:
        """The accounts now."""
        with self._lock:
            return Snapshot(
                captured=self._captured,
                judged=self._judged,
                dropped=self._dropped,
                faulty=self._faulty,
                misses=self._misses,
                misses_by_step=dict(self._misses_by_step),
                statuses=dict(self._statuses),
                histograms={
                    step: self._histograms[step].copy()
                    for step in STEPS
                    if step in self._histograms
                },
                known=self._known,
                right=self._right,
                health=dict(self._health),
                last=self._last,
                late=self._late,
                late_answers=dict(self._late_answers),
                held_back=self._held_back,
                recipes={recipe: dict(counts) for recipe, counts in self._recipes.items()},
            )

    def _record(self, steps: Mapping[str, int], exceeded: Sequence[str]) -> None:
        for step, duration in steps.items():
            histogram = self._histograms.get(step)
            if histogram is None:
                histogram = self._histograms[step] = LatencyHistogram()
            histogram.record(duration)
        for step in exceeded:
            self._misses_by_step[step] = self._misses_by_step.get(step, 0) + 1
