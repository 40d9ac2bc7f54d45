"""Remedies for INT8 that the gate refused: other calibrations, then layers in floating point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from calibration.ranges import METHODS, ranges_of
from calibration.search.sensitivity import LayerDamage, fewest_in_float
from export.gate.comparison import Comparison
from export.job import Int8Choices
from export.stages.artefact import INT8_OPENVINO
from export.stages.deadline import Deadline, OutOfTimeError
from export.stages.int8 import Int8Parts, observed
from export.stages.int8_forms import Int8Forms
from export.stages.int8_images import CalibrationImages
from export.stages.int8_trials import (
    ChosenRanges,
    KeptLayers,
    Trials,
    choose_ranges,
    measure_layers,
)
from runtime.artifact.manifest import RemedyRecord
from runtime.progress import StageProgress

SHIPS = "ships"

MORE_IMAGES = 4
"""Times as many calibration images, if there are."""

CALIBRATIONS_SHARE = 0.5
"""Share of the time in which calibrations may be tried, so that some is left for the layers."""

LAYERS_SHARE = 0.5
"""Share of the layers that may stay in floating point; with more it is hardly INT8 any more."""


@dataclass
class Attempts:
    """Plans put to the gate one after the other, and the best of them.

    A plan is better where fewer forms are refused that were at first, and none is that was not.

    Args:
        forms: prove a plan in each form of INT8.
        refused: forms that are to be saved.
        unproven: forms that shipped although beyond a limit by count, and may again.
        best: the best plan; None where none is better than the first.
        still: forms that are refused with it.
        losses: what the last plan lost, by form that it does not save or that it spoils.
    """

    forms: Int8Forms
    refused: frozenset[str]
    unproven: frozenset[str] = frozenset()
    best: Int8Parts | None = None
    still: frozenset[str] = frozenset()
    losses: dict[str, Comparison] = field(default_factory=dict)
    _longest: float = 0.0

    def __post_init__(self) -> None:
        self.still = self.refused

    def ships(self, parts: Int8Parts, deadline: Deadline) -> bool:
        """Put a plan to the gate; whether all of it ships.

        Raises:
            OutOfTimeError: not every form that matters could be tried.
        """
        self.losses, seen = {}, set()
        proposals = self.forms.proposals(parts.chosen.ranges, parts.kept.names)
        for proposal in sorted(proposals, key=lambda each: each.name not in self.refused):
            name = proposal.name
            if name not in self.refused and self.refused <= set(self.losses):
                break  # it saves nothing: the others need not be tried
            deadline.require(self._longest)
            began = deadline.spent
            proof = self.forms.proof(proposal, strict=name not in self.unproven)
            self._longest = max(self._longest, deadline.spent - began)
            seen.add(name)
            if proof.reason:
                self.losses[name] = proof.comparison
        # A form of OpenVINO's own that is gone is no loss: it runs the CPU's as it is.
        still = {*self.losses, *(self.refused - seen - {INT8_OPENVINO})}
        if not still or still < self.still:
            self.best, self.still = parts, frozenset(still)
        return not still


@dataclass(frozen=True)
class Remedies:
    """INT8 that was refused, and what is tried on it, on the validation part alone.

    Args:
        parts: what the refused plan is made of.
        choices: the user's. Calibration images that were given one by one stay, and layers that
            were searched for are not searched again.
        trials: of the FP32 graph, which is observed.
        candidates: how many images calibration may choose from.
        choose: chooses calibration images.
        attempts: put plans to the gate, and keep the best.
        deadline: nothing begins after it.
        report: progress.
    """

    parts: Int8Parts
    choices: Int8Choices
    trials: Trials
    candidates: int
    choose: Callable[[Int8Choices, StageProgress], CalibrationImages]
    attempts: Attempts
    deadline: Deadline
    report: StageProgress

    def seek(self) -> tuple[RemedyRecord, ...]:
        """Try one remedy after the other until all forms ship or the time is over.

        Returns:
            Those tried, in order; `attempts` has the best plan.
        """
        tried = []
        for name, deadline, remedy in self._in_turn():
            began, best = self.deadline.spent, self.attempts.best
            self.report("remedies", int(began), int(self.deadline.seconds), name)
            try:
                deadline.require()
                result = remedy(deadline) or self._falls_short(best)
            except OutOfTimeError:
                result = "no time left"
            ships = not self.attempts.still
            if ships:
                name = self._named(name)
            seconds = round(self.deadline.spent - began, 1)
            tried.append(RemedyRecord(remedy=name, result=result, ships=ships, seconds=seconds))
            if ships:
                break
        return tuple(tried)

    def _in_turn(self) -> Iterator[tuple[str, Deadline, Callable[[Deadline], str]]]:
        """The remedies, those that cost the line no time first."""
        early = self.deadline.share(CALIBRATIONS_SHARE)
        chosen, images = self.parts.chosen, len(self.parts.images.part)
        if self.choices.repeated is None:
            known = [tried.method for tried in chosen.tried] or list(METHODS)
            for algorithm in known:
                if algorithm != chosen.algorithm:
                    yield f"{algorithm} calibration", early, partial(self._recalibrate, algorithm)
            more = min(MORE_IMAGES * images, self.candidates)
            if more > images:
                name = f"{more} calibration images instead of {images}"
                yield name, early, partial(self._calibrate_on, more)
        if not self.choices.search:
            yield "layers in floating point", self.deadline, self._keep_layers

    def _recalibrate(self, algorithm: str, deadline: Deadline) -> str:
        ranges = ranges_of(self.parts.observation, algorithm)
        chosen = ChosenRanges(algorithm, ranges, self.parts.chosen.tried)
        return self._shipping(replace(self.parts, chosen=chosen), deadline)

    def _calibrate_on(self, count: int, deadline: Deadline) -> str:
        report = deadline.watch(self.report)
        images = self.choose(replace(self.choices, images=count, curve=False), report)
        observation = observed(self.trials.fp32, images, self.choices.cache, report)
        kept = self.parts.kept
        chosen = choose_ranges(self.choices.algorithm, observation, self.trials, kept.names, report)
        found = replace(self.parts, images=images, observation=observation, chosen=chosen)
        return self._shipping(found, deadline)

    def _keep_layers(self, deadline: Deadline) -> str:
        base = self.attempts.best or self.parts
        report = deadline.watch(self.report)
        damages: Sequence[LayerDamage] | None = base.damages
        if damages is None or base is not self.parts:
            damages = measure_layers(self.trials, base.chosen.ranges, report)
        asked = base.kept.names
        order = [entry.layer for entry in damages if entry.layer not in asked]
        order = order[: int(len(order) * LAYERS_SHARE)]

        def ships(further: Sequence[str]) -> bool:
            if not further:
                return False  # that was refused to begin with
            text = f"{len(further)} layers in floating point"
            self.report("remedies", int(deadline.spent), int(deadline.seconds), text)
            kept = KeptLayers((*asked, *further))
            return self.attempts.ships(replace(base, kept=kept, damages=tuple(damages)), deadline)

        try:
            return SHIPS if order and fewest_in_float(order, ships).holds else ""
        except OutOfTimeError:
            if self.attempts.still:
                raise
            return f"{SHIPS}; no time left to look for fewer layers"

    def _shipping(self, parts: Int8Parts, deadline: Deadline) -> str:
        return SHIPS if self.attempts.ships(parts, deadline) else ""

    def _named(self, name: str) -> str:
        """What saved INT8, with the layers that it kept."""
        before = self.parts.kept.names
        kept = [] if (best := self.attempts.best) is None else best.kept.names
        further = [layer for layer in kept if layer not in before]
        return f"{name}: {', '.join(further)}" if further else name

    def _falls_short(self, before: Int8Parts | None) -> str:
        """What a remedy did that does not save all."""
        still = ", ".join(sorted(self.attempts.still))
        if self.attempts.best is not before:
            return f"helps, but {still} is still refused"
        losses = self.attempts.losses.items()
        found = [
            f"{name} {each.lost} lost, {each.gained} gained, {each.escapes} escaped"
            for name, each in losses
        ]
        return "; ".join(found) or "nothing to try"
