"""One file of the bundle to be: its gate, and its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from export.engine.trial import CompileTrial, try_compiling
from export.gate.answers import exported_outputs
from export.qdq.emulation import emulate
from export.stages.proving import (
    EMULATED,
    REFERENCE_ENGINE,
    Proof,
    Reference,
    prove,
    prove_for_tensorrt,
    reason_of_change,
)
from runtime.progress import Say
from runtime.session.base import Outputs
from runtime.session.opening import default_threads

FP32, FP16, INT8 = "fp32", "fp16", "int8"
INT8_OPENVINO = "int8-openvino"
INT8_TENSORRT = "int8-tensorrt"
OWN_ENGINE = {INT8_OPENVINO: "openvino"}
"""Precisions that only one engine runs."""


@dataclass(frozen=True)
class Proposal:
    """Graph that is to ship if it passes the gate.

    Args:
        name: as in the manifest.
        rewrites: names of those that were applied.
        reason: why it may not ship, whatever it answers; empty where nothing is known.
    """

    name: str
    model: onnx.ModelProto
    rewrites: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True)
class Artefact:
    """One file of the bundle to be, and its measurements.

    Args:
        name: as in the manifest.
        rewrites: names of those that were applied.
        compiled_by: what compiled it on trial; empty where nothing that could is installed, and
            for what no GPU runs.
        reason: why it may not ship; empty where it does.
    """

    name: str
    path: Path
    proof: Proof
    rewrites: tuple[str, ...]
    compiled_by: str
    reason: str

    @property
    def validation_outputs(self) -> Outputs:
        """Its outputs for every tile of the validation part, in the engine that stands for it."""
        engine = EMULATED if self.name == INT8_TENSORRT else reference_engine(self.name)
        return self.proof.outputs[engine]

    @property
    def unproven(self) -> str:
        """Reason why it counts as unproven although it ships; empty where it does not."""
        return "" if self.reason else self.proof.unproven

    @property
    def lost_too_much(self) -> bool:
        """Whether its answers alone keep it from shipping, which another calibration may change."""
        return bool(self.reason) and self.proof.loads and self.reason == self.proof.reason

    def outputs(self, images: NDArray[np.uint8]) -> Outputs:
        """Run it on uint8 images N×H×W; TensorRT's is emulated as its Q/DQ stand."""
        if self.name == INT8_TENSORRT:
            return emulate(onnx.load(self.path), images, threads=default_threads())
        engine = reference_engine(self.name)
        return exported_outputs(self.path, self.name, images, engine=engine)


def reference_engine(name: str) -> str:
    """Return the engine whose outputs stand for an artefact."""
    return OWN_ENGINE.get(name, REFERENCE_ENGINE)


def judge(proposal: Proposal, reference: Reference, folder: Path, step: Say) -> Artefact:
    """Write a graph and hold its answers for the validation part against the limits.

    Args:
        reference: the trained model's answers.
        folder: where its file goes.
        step: told before the images are compared.

    Raises:
        InputError: the first engine cannot load it.
    """
    name, model = proposal.name, proposal.model
    step(f"{name}: comparing {len(reference.part)} validation images")
    path, proof = prove_proposal(proposal, reference, folder)
    trial = CompileTrial()
    if name in (FP16, INT8_TENSORRT):
        trial = try_compiling(model.SerializeToString(), where=path.name)
    change = reason_of_change(proof) if name == FP32 else ""
    reason = proposal.reason or change or proof.reason or trial.reason
    return Artefact(name, path, proof, proposal.rewrites, trial.builder, reason)


def prove_proposal(proposal: Proposal, reference: Reference, folder: Path) -> tuple[Path, Proof]:
    """Write a graph and compare its answers in each engine that is to run it.

    Args:
        reference: the trained model's answers.
        folder: where its file goes.

    Returns:
        Its file, and how it was decided.

    Raises:
        InputError: the first engine cannot load it.
    """
    name, model = proposal.name, proposal.model
    path = folder / f"model.{name.replace('-', '.')}.onnx"
    onnx.save(model, path)
    if name == INT8_TENSORRT:
        return path, prove_for_tensorrt(model, reference)
    own = OWN_ENGINE.get(name)
    return path, prove(path, name, reference, (own,) if own else None)
