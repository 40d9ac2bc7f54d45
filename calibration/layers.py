"""Quantisable layers of a graph, under the names that people know them by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import onnx

from runtime.errors import InputError

WEIGHTED_OPS = ("Conv", "Gemm", "MatMul")
_SUFFIX = ".weight"
_PREFIX = "classifier."
# A rewrite may cut a layer into several nodes; to people it stays one.
_PART = re.compile(r"_part\d+$")


@dataclass(frozen=True)
class Layer:
    """One node with weights.

    Args:
        name: that of its module in the trained network, for example
            `backbone.encoder.stages.0.left.0`; the node's own where the weights tell none.
        node: the node's name in the graph.
        op: its ONNX operator.
    """

    name: str
    node: str
    op: str


def weighted_layers(model: onnx.ModelProto) -> list[Layer]:
    """Every node whose second input is a constant of at least two dimensions, in graph order.

    The nodes into which a rewrite cut one layer all bear its name.
    """
    weights = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) >= 2}
    return [
        Layer(_layer_name(node), node.name, node.op_type)
        for node in model.graph.node
        if node.op_type in WEIGHTED_OPS and len(node.input) > 1 and node.input[1] in weights
    ]


def nodes_of(layers: Sequence[Layer], names: Sequence[str]) -> list[str]:
    """The nodes of the layers called `names`.

    Raises:
        InputError: no layer of that name.
    """
    known: dict[str, list[str]] = {}
    for layer in layers:
        known.setdefault(layer.name, []).append(layer.node)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(
            f"the network has no layer {unknown[0]!r}",
            hint=f"choose from {', '.join(known)}",
        )
    return [node for name in names for node in known[name]]


def _layer_name(node: onnx.NodeProto) -> str:
    weight: str = node.input[1]
    if weight.endswith(_SUFFIX):
        return _PART.sub("", weight.removesuffix(_SUFFIX).removeprefix(_PREFIX))
    return str(node.name)
