"""Trials on one network to choose images, ranges and layers for its INT8."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.cache import observe_cached
from calibration.layers import nodes_of, weighted_layers
from calibration.observation import Observation, observe_blocks
from calibration.ranges import Ranges, ranges_of
from calibration.record import rows_of_record
from calibration.search.choice import choose_method
from calibration.search.curve import BLOCK, measure_curve
from calibration.search.damage import Damage
from calibration.search.sensitivity import LayerDamage, fewest_in_float, measure_sensitivity
from calibration.selection import order_stratified, select, select_stratified
from export.gate.answers import model_answers, trained_answers
from export.gate.decision import reason_to_refuse
from export.job import AUTO, DataPart, Job
from export.qdq.cpu import CpuEngine, quantize_for_cpu
from export.qdq.emulation import emulate
from export.qdq.tensorrt import quantize_for_tensorrt
from export.stages.proving import Reference
from runtime.progress import StageProgress
from runtime.session.opening import default_threads, installed_engines

MOST_CANDIDATES = 4096
"""Number of random images considered for coverage; more would take minutes."""
MOST_TRIAL_IMAGES = 1000
"""Number of validation images for trials of layers and algorithms; the gate takes all."""
CURVE_IMAGES = 512
"""Largest size of the curve, unless more images calibrate."""


class Int8Lab:
    """One network, its calibration, and trials on a part of the validation images.

    Args:
        fp32: the graph that is observed, and quantised for the CPU.
        half: the same in FP16, quantised for TensorRT.
        scratch: a folder for files that are gone afterwards.

    Attributes:
        method: the algorithm of the ranges.
        ranges: by tensor of the FP32 graph.
        kept: layers that stay in floating point.
        details: what was measured, see `edgecl.reporting.pages.export`.
        notes: what the user should know.
    """

    def __init__(
        self,
        job: Job,
        fp32: onnx.ModelProto,
        half: onnx.ModelProto,
        reference: Reference,
        scratch: Path,
        report: StageProgress,
    ) -> None:
        self.job = job
        self.details: dict[str, Any] = {}
        self.notes: list[str] = []
        self.kept: list[str] = []
        self.method = job.int8.algorithm
        self.ranges: Ranges = {}
        self._fp32, self._half = fp32, half
        self._layers = weighted_layers(fp32)
        self._sensitivity: list[LayerDamage] = []
        self._scratch, self._report = scratch, report
        self._reference = reference
        self._trial = _trial_part(reference, job.seed)

    def keep(self, names: Sequence[str]) -> None:
        """Leave these layers in floating point."""
        nodes_of(self._layers, names)
        self.kept = list(dict.fromkeys(names))

    def choose_images(self) -> tuple[DataPart, list[str]]:
        """Return the calibration images, and notes on them."""
        candidates, choices = self.job.candidates, self.job.int8
        if choices.repeated is not None:
            rows = rows_of_record(choices.repeated, candidates.files, candidates.hashes)
            note = choices.repeated.note
            return candidates.take(rows), [note] if note else []
        rng = np.random.default_rng(self.job.seed)
        embeddings = None
        if choices.selection == "coverage":
            if len(candidates) > MOST_CANDIDATES:
                rows = np.sort(rng.permutation(len(candidates))[:MOST_CANDIDATES])
                candidates = candidates.take(rows)
            self._report("calibrate", 0, 1, f"embeddings of {len(candidates)} images")
            embeddings = trained_answers(self.job.classifier, candidates.images).embedding
        selected = select(
            choices.selection,
            choices.images,
            targets=candidates.targets,
            embeddings=embeddings,
            rng=rng,
        )
        return candidates.take(selected.rows), [selected.note] if selected.note else []

    def observe(self, dataset: DataPart) -> Observation:
        """Observe every activation on the calibration images."""
        return observe_cached(
            self._fp32,
            dataset.images,
            dataset.hashes,
            self.job.int8.cache,
            lambda done, total: self._report("calibrate", done, total, "observing activations"),
        )

    def choose_ranges(self, observation: Observation) -> None:
        """Return the ranges by the requested algorithm, or by the one that loses least."""
        if self.method == AUTO:
            choice = choose_method(
                lambda method: self._answers(ranges_of(observation, method)),
                reference=self._trial.probabilities,
                targets=self._trial.part.targets,
                report=lambda done, total, method: self._report("algorithms", done, total, method),
            )
            self.method = choice.best
            self.details["algorithms"] = [
                {
                    "algorithm": tried.method,
                    **_figures(tried.damage),
                    "chosen": tried.method == choice.best,
                }
                for tried in choice.table
            ]
        self.ranges = ranges_of(observation, self.method)

    def measure_layers(self) -> None:
        """Quantise one layer at a time."""
        names = list(dict.fromkeys(layer.name for layer in self._layers))
        self._sensitivity = measure_sensitivity(
            names,
            lambda quantised: self._answers(
                self.ranges, kept=[name for name in names if name not in quantised]
            ),
            reference=self._trial.probabilities,
            targets=self._trial.part.targets,
            report=lambda done, total, name: self._report("sensitivity", done, total, name),
        )
        self._describe_layers()

    def search(self) -> None:
        """The fewest further layers that have to stay in floating point."""
        order = [entry.layer for entry in self._sensitivity if entry.layer not in self.kept]
        tries = 0

        def satisfies(further: Sequence[str]) -> bool:
            nonlocal tries
            tries += 1
            self._report("search", tries, tries + 1, f"{len(further)} layers in float")
            return self._passes([*self.kept, *further])

        found = fewest_in_float(order, satisfies)
        if not found.holds:
            self.notes.append(
                "the gate rejects INT8 even with every weighted layer in floating point"
            )
            return
        self.kept += found.layers
        self._describe_layers()

    def measure_curve(self) -> None:
        """The accuracy against the number of calibration images."""
        candidates = self.job.candidates
        order = order_stratified(candidates.targets, np.random.default_rng(self.job.seed))
        dataset = candidates.take(order[: max(self.job.int8.images, CURVE_IMAGES)])
        curve = measure_curve(
            observe_blocks(
                self._fp32,
                dataset.images,
                BLOCK,
                lambda done, total: self._report("curve", done, total, "observing activations"),
            ),
            lambda found: self._answers(ranges_of(found, self.method)),
            reference=self._trial.probabilities,
            targets=self._trial.part.targets,
        )
        self.details["curve"] = [
            {
                "images": point.size,
                "accuracies": [damage.accuracy for damage in point.draws],
                "agreements": [damage.agreement for damage in point.draws],
                "enough": point.size == curve.enough,
            }
            for point in curve.points
        ]

    def _describe_layers(self) -> None:
        self.details["sensitivity"] = [
            {
                "layer": entry.layer,
                **_figures(entry.damage),
                "kept": entry.layer in self.kept,
            }
            for entry in self._sensitivity
        ]

    def _passes(self, kept: Collection[str]) -> bool:
        """Whether every form of INT8 passes the gate on all validation images."""
        images = self._reference.part.images
        nodes = self._nodes(self._fp32, kept)
        for engine in installed_engines():
            form: CpuEngine = "openvino" if engine == "openvino" else "onnxruntime"
            cpu = quantize_for_cpu(self._fp32, self.ranges, keep=nodes, engine=form)
            if not self._allows(model_answers(cpu, images, self._scratch, engine=engine)):
                return False
        half = quantize_for_tensorrt(self._half, self.ranges, keep=self._nodes(self._half, kept))
        return self._allows(emulate(half, images, threads=default_threads()).probabilities)

    def _allows(self, answers: NDArray[np.float32]) -> bool:
        return not reason_to_refuse(self._reference.against(answers), self._reference.limits)

    def _answers(self, ranges: Ranges, kept: Collection[str] | None = None) -> NDArray[np.float32]:
        """Measure the CPU's form on the trial images: both forms share the ranges."""
        nodes = self._nodes(self._fp32, self.kept if kept is None else kept)
        model = quantize_for_cpu(self._fp32, ranges, keep=nodes)
        return model_answers(model, self._trial.part.images, self._scratch)

    def _nodes(self, model: onnx.ModelProto, names: Collection[str]) -> list[str]:
        return nodes_of(weighted_layers(model), list(names))


def _trial_part(reference: Reference, seed: int) -> Reference:
    dataset = reference.part
    if len(dataset) <= MOST_TRIAL_IMAGES:
        return reference
    rows = select_stratified(dataset.targets, MOST_TRIAL_IMAGES, np.random.default_rng(seed))
    return Reference(
        reference.probabilities[rows], dataset.take(rows), reference.contract, reference.limits
    )


def _figures(damage: Damage) -> dict[str, Any]:
    # JSON has no infinity: answers that are the same have no noise to measure.
    snr = damage.snr_db if math.isfinite(damage.snr_db) else None
    return {"accuracy": damage.accuracy, "agreement": damage.agreement, "snr_db": snr}
