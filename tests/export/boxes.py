"""Machines and bundles for tests of engines: what a probe says, and graphs that build quickly."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.artifact.bundle import MANIFEST, Bundle, load_bundle, manifest_digest


def probe(trt: Any = None, **fields: Any) -> SimpleNamespace:
    """What the probe of the GPU says of a box; with `trt`, of one that has that module."""
    found = {
        "module": "tensorrt_rtx",
        "tensorrt": trt.__version__ if trt is not None else "1.7.1.116",
        "device": "RTX A4000",
        "compute_capability": "8.6",
        "free_memory": 8 * 2**30,
        "serves": (),
        "problems": (),
    }
    return SimpleNamespace(**{**found, **fields})


def with_tensorrt(path: Path, model: bytes | None = None) -> Bundle:
    """A bundle of `make_bundle` that names its files for TensorRT too.

    Args:
        model: takes the place of every precision's graph.
    """
    manifest = json.loads((path / MANIFEST).read_text())
    if model is not None:
        for name in manifest["files"]:
            (path / name).write_bytes(model)
            manifest["files"][name] = {
                "sha256": hashlib.sha256(model).hexdigest(),
                "bytes": len(model),
            }
    manifest["tensorrt"] = manifest["precisions"]
    manifest["digest"] = manifest_digest(manifest)
    (path / MANIFEST).write_text(json.dumps(manifest))
    return load_bundle(path)


def counting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the builds of this process: the list grows by what each was asked for."""
    from export.engine import builder, ready

    builds: list[str] = []
    real = builder.build_engine

    def build(trt: Any, model: bytes, options: Any, **rest: Any) -> Any:
        builds.append(rest["where"])
        return real(trt, model, options, **rest)

    monkeypatch.setattr(ready, "build_engine", build)
    return builds


def left_in(bundle: Bundle) -> list[str]:
    """What lies among the bundle's engines but the lock."""
    folder = bundle.path / "engines"
    return [path.name for path in folder.glob("*") if path.name != ".lock"]


def flat_model(operator: str) -> bytes:
    """A graph of one operator, in a form that needs nothing of a contract."""
    from onnx import TensorProto, helper

    made = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], name=operator.lower())],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    opsets = [helper.make_opsetid("", 19)]
    return bytes(helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString())
