"""A tiny heat-map graph for a bundle of the tests: a cell per 8×8 pixels, by their darkness."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from runtime.artifact.bundle import MANIFEST, manifest_digest
from runtime.artifact.contract import ModelContract
from runtime.artifact.heat_maps import HEAT_MAPS_FILE, Cells


def darkness_graph(contract: ModelContract) -> bytes:
    """An ONNX graph in which dark places speak for the first label, and for no other."""
    from onnx import TensorProto, helper, numpy_helper

    count = len(contract.labels)
    first = np.zeros((1, count, 1, 1), np.float32)
    first[0, 0] = -1
    constants = {"first": first, "axes": np.array([2, 3], np.int64)}
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node(
            "AveragePool", ["pixels"], ["blocks"], kernel_shape=[8, 8], strides=[8, 8]
        ),
        helper.make_node("Mul", ["blocks", "first"], ["activation"]),
        helper.make_node("ReduceMean", ["activation", "axes"], ["logits"], keepdims=0),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    height, width = contract.input.shape
    shape = ["N", count, height // 8, width // 8]
    graph = helper.make_graph(
        nodes,
        "darkness",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 1, height, width])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", count]),
            helper.make_tensor_value_info("activation", TensorProto.FLOAT, shape),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    helper.set_model_props(model, {**contract.to_metadata(), **Cells(8, 3.5).to_metadata()})
    return bytes(model.SerializeToString())


def add_heat_maps(bundle: Path, data: bytes | None = None) -> None:
    """Add a heat-map graph to a bundle, and its hash to the manifest.

    Args:
        data: in place of `darkness_graph`.
    """
    manifest = json.loads((bundle / MANIFEST).read_text())
    if data is None:
        contract = ModelContract.from_json(manifest["contract"], where=str(bundle))
        data = darkness_graph(contract)
    (bundle / HEAT_MAPS_FILE).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    manifest["files"][HEAT_MAPS_FILE] = {"sha256": digest, "bytes": len(data)}
    manifest["digest"] = manifest_digest(manifest)
    (bundle / MANIFEST).write_text(json.dumps(manifest))
