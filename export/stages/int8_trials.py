"""Trials on the validation part to choose ranges and layers of a network's INT8."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.layers import nodes_of, weighted_layers
from calibration.observation import Observation, observe_blocks
from calibration.ranges import Ranges, ranges_of
from calibration.search.choice import Tried, choose_method
from calibration.search.curve import BLOCK, Curve, measure_curve
from calibration.search.sensitivity import LayerDamage, fewest_in_float, measure_sensitivity
from calibration.selection import select_stratified
from export.gate.answers import model_answers
from export.job import AUTO
from export.qdq.cpu import quantize_for_cpu
from export.stages.proving import Reference
from runtime.progress import StageProgress

MOST_TRIAL_IMAGES = 1000
"""Number of validation images for trials of layers and algorithms; the gate takes all."""


@dataclass(frozen=True)
class Trials:
    """Network, and the images on which its INT8 is tried.

    Args:
        fp32: the graph that is quantised.
        reference: the trained model's answers for these images.
        folder: for files that are gone afterwards.
    """

    fp32: onnx.ModelProto
    reference: Reference
    folder: Path

    def answers(self, ranges: Ranges, kept: Collection[str]) -> NDArray[np.float32]:
        """Run the CPU's form on the images, float32 N×C: both forms share the ranges.

        Args:
            ranges: by tensor of the FP32 graph.
            kept: layers in floating point.
        """
        nodes = nodes_of(weighted_layers(self.fp32), list(kept))
        model = quantize_for_cpu(self.fp32, ranges, keep=nodes)
        answers = model_answers(model, self.reference.part.images, self.folder)
        return self.reference.of_images(answers)


@dataclass(frozen=True)
class ChosenRanges:
    """Ranges of a network's activations.

    Args:
        algorithm: what gave them.
        ranges: by tensor of the FP32 graph.
        tried: all algorithms, the best first; none where the user chose one.
    """

    algorithm: str
    ranges: Ranges
    tried: tuple[Tried, ...] = ()


@dataclass(frozen=True)
class KeptLayers:
    """Layers that stay in floating point.

    Args:
        names: those that the user asked for first.
        holds: whether INT8 is within the limits with them, as far as that was looked at.
    """

    names: tuple[str, ...]
    holds: bool = True


def trials_of(fp32: onnx.ModelProto, reference: Reference, folder: Path, *, seed: int) -> Trials:
    """Prepare trials on the validation part, or on a part of it where it is large.

    Args:
        folder: for files that are gone afterwards.
        seed: of the draw.
    """
    part = reference.part
    if len(part) > MOST_TRIAL_IMAGES:
        rows = select_stratified(part.targets, MOST_TRIAL_IMAGES, np.random.default_rng(seed))
        reference = reference.take(rows)
    return Trials(fp32, reference, folder)


def choose_ranges(
    algorithm: str,
    observation: Observation,
    trials: Trials,
    kept: Collection[str],
    report: StageProgress,
) -> ChosenRanges:
    """Return the ranges by the requested algorithm, or by the one that loses least.

    Args:
        algorithm: one of `calibration.ranges.METHODS`, or `auto`.
        observation: of the FP32 graph on the calibration images.
        kept: layers in floating point.
    """
    if algorithm != AUTO:
        return ChosenRanges(algorithm, ranges_of(observation, algorithm))
    choice = choose_method(
        lambda method: trials.answers(ranges_of(observation, method), kept),
        reference=trials.reference.probabilities,
        targets=trials.reference.part.targets,
        report=lambda done, total, method: report("algorithms", done, total, method),
    )
    return ChosenRanges(choice.best, ranges_of(observation, choice.best), choice.table)


def measure_layers(
    trials: Trials, ranges: Ranges, report: StageProgress
) -> tuple[LayerDamage, ...]:
    """Quantise one layer at a time; the most damaged comes first."""
    names = list(dict.fromkeys(layer.name for layer in weighted_layers(trials.fp32)))
    found = measure_sensitivity(
        names,
        lambda quantised: trials.answers(ranges, [name for name in names if name not in quantised]),
        reference=trials.reference.probabilities,
        targets=trials.reference.part.targets,
        report=lambda done, total, name: report("sensitivity", done, total, name),
    )
    return tuple(found)


def search_kept_layers(
    asked: tuple[str, ...],
    damages: Sequence[LayerDamage],
    passes: Callable[[Collection[str]], bool],
    report: StageProgress,
) -> KeptLayers:
    """Find the fewest further layers that have to stay in floating point.

    Args:
        asked: layers that stay in any case.
        damages: of all layers, the most damaged first.
        passes: whether INT8 is within the limits with these layers in floating point.

    Returns:
        Those asked for alone where nothing would help, even all layers in floating point.
    """
    order = [entry.layer for entry in damages if entry.layer not in asked]
    tries = 0

    def satisfies(further: Sequence[str]) -> bool:
        nonlocal tries
        tries += 1
        report("search", tries, tries + 1, f"{len(further)} layers in float")
        return passes([*asked, *further])

    found = fewest_in_float(order, satisfies)
    return KeptLayers((*asked, *found.layers) if found.holds else asked, found.holds)


def trace_curve(
    trials: Trials,
    images: NDArray[np.uint8],
    algorithm: str,
    kept: Collection[str],
    report: StageProgress,
) -> Curve:
    """Measure the accuracy against the number of calibration images.

    Args:
        images: uint8, N×H×W, in the order of chance.
        algorithm: what gives the ranges.
        kept: layers in floating point.
    """
    return measure_curve(
        observe_blocks(
            trials.fp32,
            images,
            BLOCK,
            lambda done, total: report("curve", done, total, "observing activations"),
        ),
        lambda found: trials.answers(ranges_of(found, algorithm), kept),
        reference=trials.reference.probabilities,
        targets=trials.reference.part.targets,
    )
