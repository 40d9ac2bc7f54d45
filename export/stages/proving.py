"""Comparison of one artefact with the trained model in every installed engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.ranges import Ranges
from export.gate.answers import exported_answers
from export.gate.comparison import Comparison, compare
from export.gate.decision import Limits, reason_to_refuse
from export.job import DataPart
from export.qdq.emulation import emulate
from export.stages.half import overflowing
from runtime.artifact.contract import ModelContract
from runtime.errors import EdgeclError
from runtime.session.opening import default_threads, installed_engines

REFERENCE_ENGINE = "onnxruntime"
EMULATED = "as TensorRT computes"


@dataclass(frozen=True)
class Reference:
    """The trained model's answers for the validation part.

    Args:
        probabilities: float32, N×C.
    """

    probabilities: NDArray[np.float32]
    part: DataPart
    contract: ModelContract
    limits: Limits

    def against(self, candidate: NDArray[np.float32]) -> Comparison:
        """Compare the answers of a candidate, float32 N×C."""
        return compare(
            self.probabilities,
            candidate,
            self.part.targets,
            labels=self.contract.labels,
            pass_labels=self.contract.pass_labels,
        )


@dataclass(frozen=True)
class Proof:
    """Result of proving an artefact.

    Args:
        comparison: in the engine that decided: the first that fails, else onnxruntime.
        reason: why it may not ship; empty where it may.
        engines: by engine, its comparison.
    """

    comparison: Comparison
    reason: str
    engines: Mapping[str, Comparison] = field(default_factory=dict)


def prove(
    path: Path, precision: str, reference: Reference, engines: Sequence[str] | None = None
) -> Proof:
    """Run an artefact on the validation part and hold it against the limits.

    Args:
        engines: those that will run it; all that are installed when None.
    """
    found: dict[str, Comparison] = {}
    decided: Proof | None = None
    for engine in engines or installed_engines():
        try:
            answers = exported_answers(path, precision, reference.part.images, engine=engine)
        except EdgeclError as error:
            if decided is None:
                raise
            # The line may have that engine: what it cannot load must not ship as if it could.
            return Proof(decided.comparison, f"in {engine}: {error.problem}", found)
        comparison = found[engine] = reference.against(answers)
        reason = reason_to_refuse(comparison, reference.limits)
        if reason and engine != REFERENCE_ENGINE:
            reason = f"in {engine}: {reason}"
        if decided is None or (reason and not decided.reason):
            decided = Proof(comparison, reason)
    assert decided is not None
    return Proof(decided.comparison, decided.reason, found)


def prove_for_tensorrt(model: onnx.ModelProto, reference: Reference) -> Proof:
    """Prove a graph that only TensorRT will run, with each Q/DQ pair computed as it stands."""
    answers = emulate(model, reference.part.images, threads=default_threads())
    comparison = reference.against(answers.probabilities)
    reason = reason_to_refuse(comparison, reference.limits)
    return Proof(comparison, reason, {EMULATED: comparison})


def reason_of_overflow(half: onnx.ModelProto, ranges: Ranges) -> str:
    """Explain why an FP16 graph may not ship whatever it answers on a CPU; empty where it may.

    Args:
        half: the FP16 graph.
        ranges: of the FP32 graph's activations.
    """
    beyond = overflowing(half, ranges)
    if not beyond:
        return ""
    tensor = max(beyond, key=beyond.__getitem__)
    return (
        f"{len(beyond)} activations exceed FP16's maximum of 65,504 ({tensor} reaches "
        f"{beyond[tensor]:,.0f}), which gives NaN on a GPU"
    )
