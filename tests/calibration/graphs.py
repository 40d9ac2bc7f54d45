"""A small graph with what real ones have: convolutions, a shuffle, a split and a residual sum."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPE = (12, 16)


def small_graph(seed: int = 0, *, bias: float = 0.0) -> onnx.ModelProto:
    """uint8 N×1×12×16 in, probabilities N×3 and embedding N×8 out."""
    rng = np.random.default_rng(seed)
    constants = {
        "scale": np.array(1 / 64, np.float32),
        "first.weight": rng.normal(0, 0.5, (4, 1, 3, 3)).astype(np.float32),
        "first.bias": np.full(4, bias, np.float32),
        "second.weight": rng.normal(0, 0.5, (4, 4, 3, 3)).astype(np.float32),
        "pairs": np.array([0, 2, 4, *SHAPE], np.int64),
        "whole": np.array([0, 8, *SHAPE], np.int64),
        "halves": np.array([4, 4], np.int64),
        "flat": np.array([2, 3], np.int64),
        "embed.weight": rng.normal(0, 1, (4, 8)).astype(np.float32),
        "head.weight": rng.normal(0, 1, (8, 3)).astype(np.float32),
    }
    pads = [1, 1, 1, 1]
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "scale"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "first.weight", "first.bias"], ["one"], pads=pads),
        helper.make_node("Relu", ["one"], ["one_relu"]),
        helper.make_node("Conv", ["one_relu", "second.weight"], ["two"], pads=pads),
        helper.make_node("Concat", ["one_relu", "two"], ["both"], axis=1),
        helper.make_node("Reshape", ["both", "pairs"], ["paired"]),
        helper.make_node("Transpose", ["paired"], ["turned"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["turned", "whole"], ["shuffled"]),
        helper.make_node("Split", ["shuffled", "halves"], ["left", "right"], axis=1),
        helper.make_node("Add", ["left", "right"], ["sum"]),
        helper.make_node("ReduceMean", ["sum", "flat"], ["pooled"], keepdims=0),
        helper.make_node("Gemm", ["pooled", "embed.weight"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "head.weight"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    for node in nodes:
        node.name = f"node_{node.output[0]}"
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 1, *SHAPE])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 8]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def draw_images(count: int, seed: int = 0) -> np.ndarray:
    """uint8, count×12×16."""
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), np.uint8)
