"""Networks with random weights as bundles for TensorRT; their speed is that of trained ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from runtime.artifact.bundle import MANIFEST, MANIFEST_SCHEMA, Bundle, load_bundle, manifest_digest
from runtime.artifact.contract import InputContract, ModelContract
from runtime.errors import InputError

SIZE = (128, 800)
LABELS = tuple(f"class_{number}" for number in range(6))


def export_untrained(encoder: str, folder: Path) -> Bundle:
    """A bundle of a network with random weights, FP16 and INT8, for TensorRT.

    Raises:
        InputError: torch or onnx is not installed.
    """
    try:
        from calibration.ranges import collect_ranges
        from export.qdq.tensorrt import quantize_for_tensorrt
        from export.stages.onnx_graph import to_onnx
    except ImportError as error:
        raise InputError(
            f"exporting a network needs {error.name}, which is not installed",
            hint="install edgecl[train], or name bundles that were exported elsewhere",
        ) from error
    contract = ModelContract(InputContract(*SIZE), LABELS, LABELS[:1])
    classifier = untrained(encoder)
    half = to_onnx(classifier, contract, half=True)
    images = np.random.default_rng(0).integers(0, 256, (8, *SIZE), np.uint8)
    ranges = collect_ranges(to_onnx(classifier, contract), images)
    return write_bundle(
        folder,
        {
            "fp16": half.SerializeToString(),
            "int8": quantize_for_tensorrt(half, ranges).SerializeToString(),
        },
        contract,
    )


def write_bundle(folder: Path, models: Mapping[str, bytes], contract: ModelContract) -> Bundle:
    """A bundle for TensorRT alone, of which nothing was measured."""
    folder.mkdir(parents=True)
    entries: dict[str, dict[str, Any]] = {}
    for name, data in models.items():
        (folder / f"model.{name}.onnx").write_bytes(data)
        entries[name] = {
            "file": f"model.{name}.onnx",
            "accuracy": float("nan"),
            "test_accuracy": None,
            "max_abs_diff": float("nan"),
            "agreement": float("nan"),
            "bytes": len(data),
        }
    manifest = {
        "schema": MANIFEST_SCHEMA,
        "contract": contract.to_json(),
        "precisions": entries,
        "tensorrt": entries,
        "files": {
            f"model.{name}.onnx": {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for name, data in models.items()
        },
    }
    manifest["digest"] = manifest_digest(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return load_bundle(folder)


def untrained(encoder: str) -> Any:
    """The torch module, in evaluation mode: uint8 N×1×H×W to (logits, embedding)."""
    import torch

    from edgecl.learning.model import Backbone, Classifier

    torch.manual_seed(0)
    return Classifier(Backbone(encoder, SIZE), len(LABELS)).eval()
