"""Quantisation of a network to INT8: calibration images, ranges, and layers left in float."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import onnx

from calibration.cache import observation_key, observe_cached
from calibration.layers import nodes_of, weighted_layers
from calibration.observation import Observation
from calibration.ranges import Ranges
from calibration.record import CalibrationRecord, images_of, small_histograms
from calibration.search.curve import Curve
from calibration.search.damage import Damage
from calibration.search.sensitivity import LayerDamage
from export.job import Int8Choices
from export.stages.int8_images import CalibrationImages
from export.stages.int8_trials import (
    ChosenRanges,
    KeptLayers,
    Trials,
    choose_ranges,
    measure_layers,
    search_kept_layers,
    trace_curve,
)
from runtime.artifact.manifest import CalibrationFacts
from runtime.progress import StageProgress


@dataclass(frozen=True)
class Int8Plan:
    """Decisions on INT8, and the measurements behind them.

    Args:
        record: what goes into calibration.json.
        kept: layers that stay in floating point.
        details: for the page and the terminal, see `edgecl.reporting.pages.export`.
        notes: what the user should know.
    """

    record: CalibrationRecord
    kept: tuple[str, ...]
    details: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ranges(self) -> Ranges:
        """Ranges by tensor of the FP32 graph."""
        return self.record.ranges

    def summary(self) -> CalibrationFacts:
        """Return the calibration's part of the manifest."""
        found: dict[str, Any] = {
            "algorithm": self.record.method,
            "selection": self.record.selection,
            "images": len(self.record.files),
            "observation": self.record.observation,
            "kept": self.kept,
            **{
                name: self.details[name]
                for name in ("algorithms", "sensitivity", "curve")
                if name in self.details
            },
        }
        return msgspec.convert(found, CalibrationFacts)


@dataclass(frozen=True)
class Int8Parts:
    """Parts of a plan for INT8; a remedy exchanges some of them.

    Args:
        images: those that calibrated.
        observation: of the FP32 graph on them.
        chosen: ranges, and the algorithm that gave them.
        kept: layers that stay in floating point.
        damages: of each layer, the most damaged first; None where that was not measured.
        curve: accuracy by the number of images; None where that was not measured.
    """

    images: CalibrationImages
    observation: Observation
    chosen: ChosenRanges
    kept: KeptLayers
    damages: tuple[LayerDamage, ...] | None = None
    curve: Curve | None = None

    def plan(self, fp32: onnx.ModelProto) -> Int8Plan:
        """Return the plan, and what it says of itself.

        Args:
            fp32: the graph that was observed.
        """
        part, note = self.images.part, self.images.note
        record = CalibrationRecord(
            method=self.chosen.algorithm,
            selection=self.images.selection,
            images=images_of(part.files, part.hashes),
            ranges=dict(self.chosen.ranges),
            observation=observation_key(fp32, part.hashes),
            histograms=small_histograms(fp32, self.observation),
            note=note,
        )
        details = _details(self.chosen, self.damages, self.kept, self.curve, record)
        notes = [note] if note else []
        if not self.kept.holds:
            notes.append("no choice of layers in floating point brings INT8 within the limits")
        return Int8Plan(record, self.kept.names, details, tuple(notes))


def require_layers(model: onnx.ModelProto, names: Sequence[str]) -> None:
    """Refuse to keep layers in floating point that the network does not have.

    Raises:
        InputError: no layer of a name.
    """
    nodes_of(weighted_layers(model), names)


def observed(
    fp32: onnx.ModelProto, images: CalibrationImages, cache: Path | None, report: StageProgress
) -> Observation:
    """Observe the activations of the FP32 graph on calibration images.

    Args:
        cache: folder for what was observed; None to keep nothing.

    Raises:
        InputError: an activation that is not finite.
    """
    return observe_cached(
        fp32,
        images.part.images,
        images.part.hashes,
        cache,
        lambda done, total: report("calibrate", done, total, "observing activations"),
    )


def calibrate_int8(
    choices: Int8Choices,
    images: CalibrationImages,
    trials: Trials,
    takes: Callable[[Ranges, Collection[str]], bool],
    report: StageProgress,
) -> Int8Parts:
    """Choose ranges, and the layers to leave alone.

    Args:
        images: those that calibrate, and those of the curve.
        trials: of the FP32 graph, which is observed.
        takes: whether INT8 is within the limits with these ranges and these layers in floating
            point.

    Raises:
        InputError: an activation that is not finite.
    """
    observation = observed(trials.fp32, images, choices.cache, report)
    asked = tuple(dict.fromkeys(choices.keep))
    chosen = choose_ranges(choices.algorithm, observation, trials, asked, report)
    kept, damages, curve = KeptLayers(asked), None, None
    if choices.sensitivity or choices.search:
        damages = measure_layers(trials, chosen.ranges, report)
    if choices.search:
        assert damages is not None
        kept = search_kept_layers(asked, damages, partial(takes, chosen.ranges), report)
    if images.curve is not None:
        curve = trace_curve(trials, images.curve.images, chosen.algorithm, kept.names, report)
    return Int8Parts(images, observation, chosen, kept, damages, curve)


def _details(
    chosen: ChosenRanges,
    damages: Sequence[LayerDamage] | None,
    kept: KeptLayers,
    curve: Curve | None,
    record: CalibrationRecord,
) -> dict[str, Any]:
    """Collect the measurements for the page and the terminal."""
    details: dict[str, Any] = {}
    if chosen.tried:
        details["algorithms"] = [
            {
                "algorithm": tried.method,
                **_figures(tried.damage),
                "chosen": tried.method == chosen.algorithm,
            }
            for tried in chosen.tried
        ]
    if damages is not None:
        details["sensitivity"] = [
            {
                "layer": entry.layer,
                **_figures(entry.damage),
                "kept": entry.layer in kept.names,
            }
            for entry in damages
        ]
    if curve is not None:
        details["curve"] = [
            {
                "images": point.size,
                "accuracies": [damage.accuracy for damage in point.draws],
                "agreements": [damage.agreement for damage in point.draws],
                "enough": point.size == curve.enough,
            }
            for point in curve.points
        ]
    details["histograms"] = _histograms(record)
    return details


def _figures(damage: Damage) -> dict[str, Any]:
    # JSON has no infinity: answers that are the same have no noise to measure.
    snr = damage.snr_db if math.isfinite(damage.snr_db) else None
    return {"accuracy": damage.accuracy, "agreement": damage.agreement, "snr_db": snr}


def _histograms(record: CalibrationRecord) -> list[dict[str, Any]]:
    return [
        {
            "layer": entry.layer,
            "edges": [entry.edges[0], entry.edges[-1]],
            "counts": list(entry.counts),
            "range": list(record.ranges[tensor]),
        }
        for tensor, entry in record.histograms.items()
    ]
