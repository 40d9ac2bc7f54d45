"""Comparison of one artefact with the trained model in every installed engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import nn

from export.gate.answers import exported_outputs, image_probabilities, trained_answers
from export.gate.comparison import Comparison, compare
from export.gate.decision import Limits, verdict
from export.job import DataPart
from export.qdq.emulation import emulate
from runtime.artifact.contract import ModelContract
from runtime.errors import EdgeclError, InputError
from runtime.session.base import Outputs
from runtime.session.opening import default_threads, installed_engines

REFERENCE_ENGINE = "onnxruntime"
EMULATED = "as TensorRT computes"
# What other kernels change of probabilities stays below a tenth of it.
LARGEST_FP32_CHANGE = 1e-3


@dataclass(frozen=True)
class Reference:
    """The trained model's answers for the validation part.

    Args:
        answers: float32, T×C, for every tile of the part.
    """

    answers: NDArray[np.float32]
    part: DataPart
    contract: ModelContract
    limits: Limits

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Its answers for the images, float32 N×C."""
        return self.of_images(self.answers)

    def of_images(self, answers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the answers for the part's images, N×C, from those for its tiles, T×C."""
        return image_probabilities(answers, self.part.tile_counts, self.contract)

    def against(self, answers: NDArray[np.float32]) -> Comparison:
        """Compare the answers of a candidate for every tile, float32 T×C, image by image."""
        return compare(
            self.probabilities,
            self.of_images(answers),
            self.part.targets,
            labels=self.contract.labels,
            pass_labels=self.contract.pass_labels,
        )

    def take(self, rows: NDArray[np.int64]) -> Reference:
        """Return the same for the images of `rows`."""
        answers = self.answers[self.part.tile_rows(rows)]
        return replace(self, answers=answers, part=self.part.take(rows))


def reference_of(
    trained: nn.Module, part: DataPart, contract: ModelContract, limits: Limits
) -> Reference:
    """Run the trained network on the validation part.

    Args:
        trained: maps uint8 N×1×H×W to (logits, embedding), in evaluation mode.

    Raises:
        InputError: an output is NaN or infinite.
    """
    answers = trained_answers(trained, part.images).probabilities
    wrong = int((~np.isfinite(answers).all(axis=1)).sum())
    if wrong:
        what = "validation images" if part.counts is None else "tiles of the validation images"
        raise InputError(
            f"the trained network outputs NaN or infinite values for {wrong} of "
            f"{len(answers)} {what}",
            hint="its weights are damaged or training diverged; train it again",
        )
    return Reference(answers, part, contract, limits)


@dataclass(frozen=True)
class Proof:
    """Result of proving an artefact.

    Args:
        comparison: in the engine that decided: the first that fails, else the first in which it
            is unproven, else onnxruntime.
        reason: why it may not ship; empty where it may.
        unproven: why it ships although it is beyond a limit by count; empty where it is not.
        engines: by engine, its comparison.
        outputs: by engine, its outputs for every tile of the validation part.
        loads: whether every engine could load it.
    """

    comparison: Comparison
    reason: str
    unproven: str = ""
    engines: Mapping[str, Comparison] = field(default_factory=dict)
    outputs: Mapping[str, Outputs] = field(default_factory=dict)
    loads: bool = True


def prove(
    path: Path, precision: str, reference: Reference, engines: Sequence[str] | None = None
) -> Proof:
    """Run an artefact on the validation part and hold it against the limits.

    Args:
        engines: those that will run it; all that are installed when None.
    """
    found: dict[str, Outputs] = {}
    for engine in engines or installed_engines():
        try:
            outputs = exported_outputs(path, precision, reference.part.images, engine=engine)
        except EdgeclError as error:
            if not found:
                raise
            # The line may have that engine: what it cannot load must not ship as if it could.
            reason = f"in {engine}: {error.problem}"
            return replace(_decided(found, reference), reason=reason, loads=False)
        found[engine] = outputs
    return _decided(found, reference)


def prove_for_tensorrt(model: onnx.ModelProto, reference: Reference) -> Proof:
    """Prove a graph that only TensorRT will run, with each Q/DQ pair computed as it stands."""
    outputs = emulate(model, reference.part.images, threads=default_threads())
    return _decided({EMULATED: outputs}, reference)


def _decided(outputs: Mapping[str, Outputs], reference: Reference) -> Proof:
    """Hold an artefact's outputs in each engine against the limits."""
    found = {engine: reference.against(each.probabilities) for engine, each in outputs.items()}
    verdicts = {engine: verdict(each, reference.limits) for engine, each in found.items()}
    refused = [engine for engine, each in verdicts.items() if each.refused]
    unproven = [engine for engine, each in verdicts.items() if each.unproven]
    engine = next(iter((*refused, *unproven, *found)))
    where = "" if engine in (REFERENCE_ENGINE, EMULATED) else f"in {engine}: "
    decided = verdicts[engine]
    return Proof(
        found[engine],
        f"{where}{decided.refused}" if decided.refused else "",
        f"{where}{decided.unproven}" if decided.unproven else "",
        found,
        outputs,
    )


def reason_of_change(proof: Proof) -> str:
    """Explain why an FP32 graph may not ship although its labels are right; empty where it may."""
    engine, worst = max(proof.engines.items(), key=lambda item: item[1].max_abs_diff)
    if worst.max_abs_diff <= LARGEST_FP32_CHANGE:
        return ""
    return (
        f"in {engine} a probability changed by {worst.max_abs_diff:.1e}; reordered "
        f"arithmetic alone changes it by less than {LARGEST_FP32_CHANGE:g}"
    )
