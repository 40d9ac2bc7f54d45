"""Multiply-accumulates of a graph's nodes, from its shapes."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.graph_costs import graph_costs


def test_convolutions_and_products_of_one_image(tmp_path):
    kernel = np.zeros((8, 1, 3, 3), np.int8)
    nodes = [
        helper.make_node("DequantizeLinear", ["kernel", "scale"], ["weights"], name="dq"),
        helper.make_node("Conv", ["image", "weights"], ["map"], name="conv"),
        helper.make_node("ReduceMax", ["map", "axes"], ["most"], name="max", keepdims=0),
        helper.make_node("Gemm", ["most", "dense"], ["out"], name="gemm", transB=1),
        helper.make_node("MatMul", ["out", "second"], ["end"], name="matmul"),
    ]
    stored = {
        "kernel": kernel,
        "scale": np.array(0.1, np.float32),
        "axes": np.array([2, 3]),
        "dense": np.zeros((5, 8), np.float32),
        "second": np.zeros((5, 3), np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 10, 12])],
        [helper.make_tensor_value_info("end", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    costs = graph_costs(path)
    assert {name: cost.macs for name, cost in costs.items()} == {
        "conv": 8 * 8 * 10 * 9,
        "gemm": 40,
        "matmul": 15,
    }
    assert costs["conv"].weight_bytes == 72  # as they are stored, in one byte each
    assert costs["gemm"].weight_bytes == 160


def test_shapes_that_are_not_known_are_left_out(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"], name="product")],
        "net",
        [
            helper.make_tensor_value_info("a", TensorProto.FLOAT, ["N", "K"]),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, ["K", "M"]),
        ],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, None)],
    )
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph), path)
    assert graph_costs(path) == {}
