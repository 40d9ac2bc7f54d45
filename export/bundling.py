"""One trained classifier → a bundle whose every precision has passed the gate."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from calibration.ranges import Ranges, collect_ranges
from export.gate import Comparison, compare, reason_to_refuse
from export.onnx_graph import to_onnx
from export.qdq.cpu import quantize_for_cpu
from runtime.atomic import explained, replacing_folder
from runtime.bundle import (
    MANIFEST,
    MANIFEST_SCHEMA,
    SUFFIX,
    Precision,
    file_digest,
    manifest_digest,
)
from runtime.contract import ModelContract
from runtime.errors import GateError
from runtime.session.onnxruntime import OnnxRuntimeSession
from runtime.session.opening import default_threads

Report = Callable[[str, int, int, str], None]
BATCH = 32
CALIBRATION = "calibration.json"


@dataclass(frozen=True)
class Pictures:
    """Pictures of one part of the data: uint8 N×H×W, their class numbers, names and hashes."""

    images: NDArray[np.uint8]
    targets: NDArray[np.int64]
    files: Sequence[str]
    hashes: Sequence[str]


@dataclass(frozen=True)
class Job:
    """What to export.

    Args:
        classifier: what is exported: maps uint8 N×1×H×W to (logits, embedding), in evaluation
            mode, on the CPU.
        trained: the network as trained, whose answers every precision is compared with; it may
            be the same one.
        contract: its labels and input.
        precisions: beside `fp32`, which is always exported.
        validation: decides what ships.
        test: looked at after that, for the record.
        calibration: from the train part.
        max_drop: percentage points of validation accuracy that a precision may lose.
        origin: where the model came from, for the manifest.
        version: edgecl's.
    """

    classifier: nn.Module
    trained: nn.Module
    contract: ModelContract
    precisions: Sequence[str]
    validation: Pictures
    test: Pictures
    calibration: Pictures
    max_drop: float
    origin: Mapping[str, Any]
    version: str


@dataclass(frozen=True)
class Outcome:
    """What came of an export.

    Args:
        shipped: by precision, as in the manifest.
        refused: by precision, why.
        comparisons: by precision, also of those refused.
    """

    shipped: dict[str, Precision] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    comparisons: dict[str, Comparison] = field(default_factory=dict)


def export_bundle(job: Job, out: Path, report: Report) -> Outcome:
    """Export, compare, and write the bundle `out`, whole or not at all.

    A precision that fails the gate is left out and named in the outcome and the manifest.

    Raises:
        GateError: FP32 itself failed; nothing is written.
        InputError: the bundle cannot be written.
    """
    outcome = Outcome()
    wanted = ["fp32", *(name for name in job.precisions if name != "fp32")]
    steps = 2 * len(wanted) + 2
    done = 0

    def step(text: str) -> None:
        nonlocal done
        report("export", done, steps, text)
        done += 1

    step("the trained model's answers")
    reference = _torch_probabilities(job.trained, job.validation.images)
    with (
        explained(Path(tempfile.gettempdir())),
        tempfile.TemporaryDirectory(prefix="edgecl-export-") as scratch,
    ):
        models: dict[str, Path] = {}
        ranges: Ranges = {}
        fp32: onnx.ModelProto | None = None
        for name in wanted:
            step(f"{name}: building the graph")
            if name == "int8":
                assert fp32 is not None
                ranges = collect_ranges(fp32, job.calibration.images)
                model = quantize_for_cpu(fp32, ranges)
            else:
                model = to_onnx(job.classifier, job.contract, half=name == "fp16")
            fp32 = fp32 or model
            path = Path(scratch) / f"model.{name}.onnx"
            onnx.save(model, path)
            step(f"{name}: comparing {len(job.validation.images)} validation pictures")
            answers = _onnx_probabilities(path, name, job.validation.images)
            comparison = compare(reference, answers, job.validation.targets)
            outcome.comparisons[name] = comparison
            reason = reason_to_refuse(comparison, job.max_drop)
            if not reason:
                models[name] = path
                continue
            if name == "fp32":
                raise GateError(
                    f"the exported FP32 graph fails the gate, nothing was written: {reason}",
                    mend="report this: the export itself is wrong",
                )
            outcome.refused[name] = reason
        step("writing the bundle")
        for name, path in models.items():
            outcome.shipped[name] = _precision(
                path, outcome.comparisons[name], _test_accuracy(path, name, job.test)
            )
        _write(job, outcome, models, ranges, out)
    report("export", steps, steps, str(out))
    return outcome


def _torch_probabilities(classifier: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.no_grad():
        logits = [
            classifier(torch.from_numpy(images[start : start + BATCH, None]))[0]
            for start in range(0, len(images), BATCH)
        ]
        return torch.softmax(torch.cat(logits).float(), dim=1).numpy()


def _onnx_probabilities(
    path: Path, precision: str, images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    with OnnxRuntimeSession(path, precision=precision, threads=default_threads()) as session:
        return np.concatenate(
            [
                session.infer(images[start : start + BATCH, None]).probabilities
                for start in range(0, len(images), BATCH)
            ]
        )


def _test_accuracy(path: Path, precision: str, test: Pictures) -> float:
    answers = _onnx_probabilities(path, precision, test.images)
    return float((answers.argmax(1) == test.targets).mean())


def _precision(path: Path, comparison: Comparison, test_accuracy: float) -> Precision:
    return Precision(
        file=path.name,
        accuracy=comparison.accuracy,
        test_accuracy=test_accuracy,
        max_abs_diff=comparison.max_abs_diff,
        agreement=comparison.agreement,
        bytes=path.stat().st_size,
    )


def _write(
    job: Job, outcome: Outcome, models: Mapping[str, Path], ranges: Ranges, out: Path
) -> None:
    with replacing_folder(out) as folder:
        for path in models.values():
            (folder / path.name).write_bytes(path.read_bytes())
        calibration: dict[str, Any] = {}
        if "int8" in models:
            calibration = {"method": "minmax", "images": len(job.calibration.files)}
            _write_calibration(folder / CALIBRATION, job.calibration, ranges)
        files = {
            path.name: {"sha256": file_digest(path), "bytes": path.stat().st_size}
            for path in sorted(folder.iterdir())
        }
        manifest: dict[str, Any] = {
            "schema": MANIFEST_SCHEMA,
            "name": out.name.removesuffix(SUFFIX),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "edgecl_version": job.version,
            "contract": job.contract.to_json(),
            "files": files,
            "precisions": {name: asdict(entry) for name, entry in outcome.shipped.items()},
            "refused": {
                name: {"reason": reason, **asdict(outcome.comparisons[name])}
                for name, reason in outcome.refused.items()
            },
            "gate": {
                "max_drop": job.max_drop,
                "validation_pictures": len(job.validation.images),
                "reference_accuracy": outcome.comparisons["fp32"].reference_accuracy,
            },
            "origin": dict(job.origin),
            "calibration": calibration,
        }
        manifest["digest"] = manifest_digest(manifest)
        (folder / MANIFEST).write_text(
            json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def _write_calibration(path: Path, pictures: Pictures, ranges: Ranges) -> None:
    record = {
        "method": "minmax",
        "images": [
            {"file": file, "sha256": digest}
            for file, digest in zip(pictures.files, pictures.hashes, strict=True)
        ],
        "ranges": {name: list(bounds) for name, bounds in ranges.items()},
    }
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
