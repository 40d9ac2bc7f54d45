"""Remedies for INT8 that the gate refused: other calibrations, then layers in floating point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from calibration.layers import weighted_layers
from calibration.ranges import METHODS, ranges_of
from calibration.search.sensitivity import LayerDamage, fewest_in_float
from export.job import Int8Choices
from export.stages.int8 import Int8Parts, observed
from export.stages.int8_images import CalibrationImages
from export.stages.int8_trials import (
    ChosenRanges,
    KeptLayers,
    Trials,
    choose_ranges,
    measure_layers,
)
from export.stages.remedies.attempts import Attempts
from export.stages.remedies.deadline import Deadline, OutOfTimeError
from runtime.artifact.manifest import Outcome, RemedyRecord
from runtime.errors import EdgeclError
from runtime.progress import StageProgress

SHIPS = "ships"

MORE_IMAGES = 4
"""Times as many calibration images, if there are."""

CALIBRATIONS_SHARE = 0.5
"""Share of the time in which calibrations may be tried, so that some is left for the layers."""

LAYERS_SHARE = 0.5
"""Share of the layers that may stay in floating point; with more it is hardly INT8 any more."""


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
        tried: list[RemedyRecord] = []
        for name, deadline, remedy in self._in_turn():
            began, before = self.deadline.spent, self.attempts.best
            self.report("remedies", int(began), int(self.deadline.seconds), name)
            try:
                deadline.require()
                result = remedy(deadline)
                outcome: Outcome = "fails" if self.attempts.still else "ships"
            except OutOfTimeError:
                outcome, result = "no time", "no time left for it"
            except EdgeclError as error:  # the other precisions ship all the same
                outcome, result = "fails", error.problem
            if outcome != "ships" and self.attempts.best is not before:
                still = ", ".join(sorted(self.attempts.still))
                outcome, result = "helps", f"helps, but {still} is still refused"
            if outcome in ("ships", "helps"):
                name = self._with_layers(name)
            seconds = round(self.deadline.spent - began, 1)
            tried.append(RemedyRecord(remedy=name, outcome=outcome, result=result, seconds=seconds))
            if outcome == "ships":
                break
        return tuple(tried)

    def _in_turn(self) -> Iterator[tuple[str, Deadline, Callable[[Deadline], str]]]:
        """Name each remedy, with the end of its time; those that cost the line nothing come first.

        A remedy returns its result in words.
        """
        free = len(self._free_layers())
        layers = not self.choices.search and int(free * LAYERS_SHARE) > 0
        early = self.deadline.share(CALIBRATIONS_SHARE) if layers else self.deadline
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
        if layers:
            yield "layers in floating point", self.deadline, self._keep_layers

    def _recalibrate(self, algorithm: str, deadline: Deadline) -> str:
        ranges = ranges_of(self.parts.observation, algorithm)
        chosen = ChosenRanges(algorithm, ranges, self.parts.chosen.tried)
        return self._judged(replace(self.parts, chosen=chosen), deadline)

    def _calibrate_on(self, count: int, deadline: Deadline) -> str:
        report = deadline.watch(self.report)
        images = self.choose(replace(self.choices, images=count, curve=False), report)
        observation = observed(self.trials.fp32, images, self.choices.cache, report)
        kept = self.parts.kept
        chosen = choose_ranges(self.choices.algorithm, observation, self.trials, kept.names, report)
        found = replace(self.parts, images=images, observation=observation, chosen=chosen)
        return self._judged(found, deadline)

    def _keep_layers(self, deadline: Deadline) -> str:
        base = self.attempts.best or self.parts
        report = deadline.watch(self.report)
        damages: Sequence[LayerDamage] | None = base.damages
        if damages is None or base is not self.parts:
            damages = measure_layers(self.trials, base.chosen.ranges, report)
        asked = base.kept.names
        free = self._free_layers()
        order = [entry.layer for entry in damages if entry.layer in free]
        order = order[: int(len(order) * LAYERS_SHARE)]

        def ships(further: Sequence[str]) -> bool:
            if not further:
                return False  # that was refused to begin with
            text = f"{len(further)} layers in floating point"
            self.report("remedies", int(deadline.spent), int(deadline.seconds), text)
            kept = KeptLayers((*asked, *further))
            return self.attempts.ships(replace(base, kept=kept, damages=tuple(damages)), deadline)

        try:
            return SHIPS if fewest_in_float(order, ships).holds else self._losses()
        except OutOfTimeError:
            if self.attempts.still:
                raise
            return f"{SHIPS}; no time left to look for fewer layers"

    def _free_layers(self) -> set[str]:
        """Layers that the user did not ask to keep."""
        names = {layer.name for layer in weighted_layers(self.trials.fp32)}
        return names - set(self.parts.kept.names)

    def _judged(self, parts: Int8Parts, deadline: Deadline) -> str:
        return SHIPS if self.attempts.ships(parts, deadline) else self._losses()

    def _losses(self) -> str:
        """Say what the last plan lost."""
        return "; ".join(
            f"{form} {each.lost} lost, {each.gained} gained, {each.escapes} escaped"
            for form, each in self.attempts.losses.items()
        )

    def _with_layers(self, name: str) -> str:
        """Add the layers that the best plan keeps beside those that the user asked for."""
        best = self.attempts.best
        kept = () if best is None else best.kept.names
        further = [layer for layer in kept if layer not in self.parts.kept.names]
        return f"{name}: {', '.join(further)}" if further else name
