"""The layers of a graph under the names of their modules."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from calibration.layers import nodes_of, weighted_layers
from runtime.errors import InputError


def graph_of(*weights: str) -> onnx.ModelProto:
    """A chain of 1×1 convolutions with weights of these names."""
    nodes = [
        helper.make_node("Conv", [f"x{i}", name], [f"x{i + 1}"], name=f"conv_{i}")
        for i, name in enumerate(weights)
    ]
    kernel = np.ones((1, 1, 1, 1), np.float32)
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, [1, 1, 2, 2])],
        [helper.make_tensor_value_info(f"x{len(weights)}", TensorProto.FLOAT, [1, 1, 2, 2])],
        [onnx.numpy_helper.from_array(kernel, name) for name in weights],
    )
    return helper.make_model(graph)


def test_a_layer_bears_the_name_of_its_module():
    (layer,) = weighted_layers(graph_of("classifier.backbone.encoder.stem.0.weight"))
    assert (layer.name, layer.node, layer.op) == ("backbone.encoder.stem.0", "conv_0", "Conv")


def test_weights_without_a_module_go_by_their_node():
    (layer,) = weighted_layers(graph_of("val_12"))
    assert layer.name == layer.node == "conv_0"


def test_the_parts_of_a_cut_layer_are_one_layer():
    layers = weighted_layers(graph_of("a_part0.weight", "a_part1.weight", "b.weight"))
    assert [layer.name for layer in layers] == ["a", "a", "b"]
    assert nodes_of(layers, ["a"]) == ["conv_0", "conv_1"]


def test_an_unknown_layer_is_named_with_those_that_there_are():
    layers = weighted_layers(graph_of("a.weight", "b.weight"))
    with pytest.raises(InputError, match=r"no layer 'c'; choose from a, b"):
        nodes_of(layers, ["a", "c"])
