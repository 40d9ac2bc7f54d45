"""Export of one trained classifier to a bundle whose every precision has passed the gate."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.ranges import Ranges, collect_ranges
from calibration.selection import order_stratified
from export import rewrites
from export.bundle.golden import choose_golden
from export.bundle.manifest import Page, write_bundle
from export.engine.trial import CompileTrial, try_compiling
from export.gate.answers import exported_answers, trained_answers
from export.gate.decision import caveat
from export.gate.escapes import with_thumbnails
from export.job import Job
from export.outcome import Artefact, ExportOutcome
from export.qdq.cpu import quantize_for_cpu
from export.qdq.emulation import emulate
from export.qdq.lint import require_clean
from export.qdq.tensorrt import quantize_for_tensorrt
from export.stages.half import rounded_once
from export.stages.int8 import Int8Plan, plan_int8
from export.stages.onnx_graph import to_onnx
from export.stages.proving import (
    REFERENCE_ENGINE,
    Proof,
    Reference,
    prove,
    prove_for_tensorrt,
    reason_of_overflow,
)
from runtime.artifact.bundle import Precision
from runtime.errors import GateError, InputError
from runtime.files.atomic import explained
from runtime.progress import StageProgress
from runtime.session.golden import GoldenImages
from runtime.session.opening import default_threads, installed_engines

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

INT8_OPENVINO = "int8-openvino"
INT8_TENSORRT = "int8-tensorrt"
OWN_ENGINE = {INT8_OPENVINO: "openvino"}
"""Precisions that only one engine runs."""

IMAGES_FOR_OVERFLOW = 32
# What other kernels change of probabilities stays below a tenth of it.
LARGEST_FP32_CHANGE = 1e-3


def export_bundle(
    job: Job,
    out: Path,
    report: StageProgress,
    *,
    page: Page | None = None,
    key: Ed25519PrivateKey | None = None,
) -> ExportOutcome:
    """Export, compare, and write the bundle `out`, whole or not at all.

    A precision that fails the gate is left out and named in the outcome and the manifest.

    Args:
        page: writes the bundle's `report.html`; None for none.
        key: signs the manifest; None for no signature.

    Raises:
        GateError: FP32 itself failed; nothing is written.
        InputError: the bundle cannot be written, or INT8 cannot be calibrated.
    """
    with (
        explained(Path(tempfile.gettempdir())),
        tempfile.TemporaryDirectory(prefix="edgecl-export-") as scratch,
    ):
        export = _Export(job, Path(scratch), report)
        export.make()
        export.look_at_test_part()
        export.choose_golden()
        write_bundle(job, export.outcome, export.artefacts, export.plan, out, page, key)
    report("export", 1, 1, str(out))
    return export.outcome


class _Export:
    """The artefacts of one job, made one after the other in a scratch folder."""

    def __init__(self, job: Job, scratch: Path, report: StageProgress) -> None:
        self.job = job
        self.outcome = ExportOutcome(notes=list(job.notes))
        self.artefacts: dict[str, Artefact] = {}
        self.plan: Int8Plan | None = None
        self._scratch = scratch
        self._report = report
        self._done = 0
        self._escapes: dict[str, Any] = {}
        report("export", 0, self._steps, "running the trained model")
        self._reference = Reference(
            _numbers(trained_answers(job.trained, job.validation.images).probabilities),
            job.validation,
            job.contract,
            job.limits,
        )

    @property
    def _steps(self) -> int:
        return 3 + 2 * len(self.job.precisions) + 2 * ("int8" in self.job.precisions)

    def _step(self, text: str) -> None:
        self._done += 1
        self._report("export", self._done, self._steps, text)

    def make(self) -> None:
        """Make and prove all artefacts that were asked for."""
        raw = self._graph("fp32")
        fp32, applied = self._rewritten(raw)
        if not self._prove("fp32", fp32, applied):
            raise GateError(
                "the exported FP32 graph fails the gate, so nothing was written: "
                f"{self.outcome.refused['fp32']}",
                hint="please report this: it is a bug in the export",
            )
        wants = set(self.job.precisions)
        if not wants & {"fp16", "int8"}:
            return
        half, half_applied = self._rewritten(rounded_once(self._graph("fp16"), raw))
        overflow = reason_of_overflow(half, self._usual_ranges(fp32))
        if "fp16" in wants:
            self._prove("fp16", half, half_applied, overflow)
        if "int8" in wants:
            self._make_int8(fp32, applied, half, half_applied, overflow)

    def _usual_ranges(self, fp32: onnx.ModelProto) -> Ranges:
        """The largest values that are to be expected, also where nothing is calibrated."""
        candidates = self.job.candidates
        rows = order_stratified(candidates.targets, np.random.default_rng(self.job.seed))
        return collect_ranges(fp32, candidates.images[rows[:IMAGES_FOR_OVERFLOW]])

    def _graph(self, name: str) -> onnx.ModelProto:
        self._step(f"{name}: building the graph")
        return to_onnx(self.job.classifier, self.job.contract, half=name == "fp16")

    def _rewritten(self, model: onnx.ModelProto) -> tuple[onnx.ModelProto, tuple[str, ...]]:
        model, applied = rewrites.apply(model)
        return model, (*self.job.rewrites, *applied)

    def _make_int8(
        self,
        fp32: onnx.ModelProto,
        applied: tuple[str, ...],
        half: onnx.ModelProto,
        half_applied: tuple[str, ...],
        overflow: str,
    ) -> None:
        self._step("int8: calibrating")
        self.plan = plan_int8(self.job, fp32, half, self._reference, self._scratch, self._report)
        nodes = self.plan.nodes_of(fp32)
        cpu = quantize_for_cpu(fp32, self.plan.ranges, keep=nodes)
        self._prove("int8", cpu, applied)
        openvino = quantize_for_cpu(fp32, self.plan.ranges, keep=nodes, engine="openvino")
        if openvino != cpu and OWN_ENGINE[INT8_OPENVINO] in installed_engines():
            self._prove(INT8_OPENVINO, openvino, applied)
        try:
            tensorrt = quantize_for_tensorrt(half, self.plan.ranges, keep=self.plan.nodes_of(half))
            require_clean(tensorrt)
        except InputError as error:  # values beyond FP16, or what TensorRT would not take
            self.outcome.refused[INT8_TENSORRT] = overflow or error.problem
        else:
            self._prove(INT8_TENSORRT, tensorrt, half_applied, overflow)
        self.outcome.details.update(self.plan.details, kept=list(self.plan.kept))
        self.outcome.notes.extend(self.plan.notes)

    def _prove(
        self,
        name: str,
        model: onnx.ModelProto,
        applied: tuple[str, ...],
        reason: str = "",
    ) -> bool:
        """Compare an artefact with the trained model; return whether it ships.

        Args:
            reason: why it may not, whatever it answers.
        """
        path = self._scratch / f"model.{name.replace('-', '.')}.onnx"
        onnx.save(model, path)
        count = len(self.job.validation)
        self._step(f"{name}: comparing {count} validation images")
        if name == INT8_TENSORRT:
            proof = prove_for_tensorrt(model, self._reference)
        else:
            own = OWN_ENGINE.get(name)
            proof = prove(path, name, self._reference, (own,) if own else None)
        trial = CompileTrial()
        if name in ("fp16", INT8_TENSORRT):
            trial = try_compiling(model.SerializeToString(), where=path.name)
        if name == "fp32":
            reason = _reason_of_change(proof)
        reason = reason or proof.reason or trial.reason
        self.outcome.comparisons[name] = proof.comparison
        self._escapes[name] = with_thumbnails(proof.comparison, self.job.validation)
        if reason:
            self.outcome.refused[name] = reason
        self.artefacts[name] = Artefact(path, proof, applied, trial.builder)
        return not reason

    def look_at_test_part(self) -> None:
        """The accuracy of what ships on the test part, for the record."""
        self._report("export", self._steps - 1, self._steps, "the test part")
        for name, artefact in self.artefacts.items():
            if name not in self.outcome.refused:
                self.outcome.shipped[name] = Precision(
                    file=artefact.path.name,
                    accuracy=artefact.proof.comparison.accuracy,
                    test_accuracy=self._accuracy(artefact.path, name),
                    max_abs_diff=artefact.proof.comparison.max_abs_diff,
                    agreement=artefact.proof.comparison.agreement,
                    bytes=artefact.path.stat().st_size,
                )
        note = caveat(self.outcome.comparisons["fp32"], self.job.limits)
        if note and len(self.artefacts) > 1:
            self.outcome.notes.append(note)
        self.outcome.details["escapes"] = self._escapes
        self.outcome.details["rewrites"] = list(self.artefacts["fp32"].rewrites)

    def choose_golden(self) -> None:
        """Choose the images by which the target checks the bundle's results."""
        images, sure = self.job.validation.images, self._reference.probabilities
        shipped = [
            partial(_answers, self.artefacts[name].path, name, engine)
            for name in self.outcome.shipped
            for engine in self._engines(name)
        ]
        rows = choose_golden(images, sure, shipped)
        if rows:
            self.outcome.golden = GoldenImages(images[rows][:, None], sure[rows])
        else:
            self.outcome.notes.append(
                "no golden images: no image gives the trained model's result in all "
                "shipped precisions, so the target cannot check its results against the "
                "export"
            )

    def _engines(self, name: str) -> tuple[str, ...]:
        own = OWN_ENGINE.get(name, REFERENCE_ENGINE)
        return (own,) if name in (*OWN_ENGINE, INT8_TENSORRT) else installed_engines()

    def _accuracy(self, path: Path, name: str) -> float:
        engine = OWN_ENGINE.get(name, REFERENCE_ENGINE)
        answers = _answers(path, name, engine, self.job.test.images)
        return float((answers.argmax(1) == self.job.test.targets).mean())


def _answers(path: Path, name: str, engine: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run an artefact, float32 N×C; TensorRT's is emulated as its Q/DQ stand."""
    if name == INT8_TENSORRT:
        found = emulate(onnx.load(path), images, threads=default_threads())
        return found.probabilities
    return exported_answers(path, name, images, engine=engine)


def _reason_of_change(proof: Proof) -> str:
    """Explain why an FP32 graph may not ship although its labels are right; empty where it may."""
    engine, worst = max(proof.engines.items(), key=lambda item: item[1].max_abs_diff)
    if worst.max_abs_diff <= LARGEST_FP32_CHANGE:
        return ""
    return (
        f"in {engine} a probability changed by {worst.max_abs_diff:.1e}; reordered "
        f"arithmetic alone changes it by less than {LARGEST_FP32_CHANGE:g}"
    )


def _numbers(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    wrong = int((~np.isfinite(probabilities).all(axis=1)).sum())
    if wrong:
        raise InputError(
            f"the trained network outputs NaN or infinite values for {wrong} of "
            f"{len(probabilities)} validation images",
            hint="its weights are damaged or training diverged; train it again",
        )
    return probabilities
