"""Multiply-accumulates of every product of an ONNX graph, for reports of layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import helper

# The node's input that holds the weights; of what onnxruntime quantises, the fourth.
_WEIGHTS = {"Conv": 1, "Gemm": 1, "MatMul": 1, "QLinearConv": 3, "QLinearMatMul": 3}


@dataclass(frozen=True)
class NodeCost:
    """Cost of a node for one image.

    Args:
        macs: multiply-accumulates.
        weight_bytes: of its weights as they are stored.
    """

    macs: int
    weight_bytes: int


def graph_costs(path: Path) -> dict[str, NodeCost]:
    """Return the cost of every convolution and matrix product, by the node's name.

    What the shapes of a graph do not tell is left out.

    Args:
        path: a graph whose first dimension is the batch; it counts as one.
    """
    model = onnx.load(path)
    for value in model.graph.input:
        dimension = value.type.tensor_type.shape.dim[:1]
        for first in dimension:
            first.Clear()
            first.dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [one.dim_value for one in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    stored = {tensor.name: tensor for tensor in graph.initializer}
    shapes |= {name: list(tensor.dims) for name, tensor in stored.items()}
    producers = {output: node for node in graph.node for output in node.output}
    costs = {}
    for node in graph.node:
        if node.op_type not in _WEIGHTS or len(node.input) <= _WEIGHTS[node.op_type]:
            continue
        weights = node.input[_WEIGHTS[node.op_type]]
        macs = _macs(node, shapes, weights)
        if macs is not None:
            source = _stored(weights, producers, stored)
            costs[node.name] = NodeCost(macs, 0 if source is None else _bytes(source))
    return costs


def _macs(node: onnx.NodeProto, shapes: Mapping[str, Sequence[int]], weights: str) -> int | None:
    result, kernel = shapes.get(node.output[0]), shapes.get(weights)
    if not result or not kernel or min(*result, *kernel) < 1:
        return None
    if "Conv" in node.op_type:
        return math.prod(result) // kernel[0] * math.prod(kernel)
    transposed = any(one.name == "transB" and one.i for one in node.attribute)
    return math.prod(result) * kernel[-1 if transposed else -2]


def _stored(
    name: str, producers: Mapping[str, onnx.NodeProto], stored: Mapping[str, onnx.TensorProto]
) -> onnx.TensorProto | None:
    """The initializer behind a tensor, through the nodes that quantise it and turn it round."""
    while name not in stored:
        node = producers.get(name)
        if node is None or not node.input:
            return None
        name = node.input[0]
    return stored[name]


def _bytes(tensor: onnx.TensorProto) -> int:
    kind = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    return int(math.prod(tensor.dims) * kind.itemsize)
