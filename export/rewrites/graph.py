"""Queries on a graph that rewrites make, and the way back to a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Constants = dict[str, NDArray[np.generic]]


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """The value of a node's attribute; `default` where it has none of that name."""
    for entry in node.attribute:
        if entry.name == name:
            return helper.get_attribute_value(entry)
    return default


def constants(model: onnx.ModelProto) -> Constants:
    """The initialisers by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors that were inferred; 0 stands for an unknown size."""
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    return {
        value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
        for value in values
    }


def rebuilt(
    model: onnx.ModelProto,
    nodes: Iterable[onnx.NodeProto],
    values: Mapping[str, NDArray[np.generic]],
) -> onnx.ModelProto:
    """Return `model` with other nodes and the initialisers that they use; shapes inferred anew.

    Nodes whose outputs nobody reads any more are left out.
    """
    needed = {output.name for output in model.graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed([*nodes]):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:], result.graph.initializer[:], result.graph.value_info[:]
    result.graph.node.extend(reversed(kept))
    result.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in values.items() if name in needed
    )
    return onnx.shape_inference.infer_shapes(result, strict_mode=True)
