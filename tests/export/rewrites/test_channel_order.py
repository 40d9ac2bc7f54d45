"""Shuffles and fillings in small graphs of other shapes than ShuffleNet's."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.rewrites.channel_filling import fill_channels
from export.rewrites.channel_shuffles import remove_channel_shuffles

SIDE = 6
RNG = np.random.default_rng(0)


def shuffle(name, result, channels, groups):
    wide = np.array([-1, groups, channels // groups, SIDE, SIDE], np.int64)
    flat = np.array([-1, channels, SIDE, SIDE], np.int64)
    return (
        [
            helper.make_node("Reshape", [name, f"{result}_wide"], [f"{result}_5"]),
            helper.make_node("Transpose", [f"{result}_5"], [f"{result}_t"], perm=[0, 2, 1, 3, 4]),
            helper.make_node("Reshape", [f"{result}_t", f"{result}_flat"], [result]),
        ],
        {f"{result}_wide": wide, f"{result}_flat": flat},
    )


def conv(name, result, out, into, kernel=1, group=1):
    weight = RNG.normal(size=(out, into // group, kernel, kernel)).astype(np.float32)
    bias = RNG.normal(size=out).astype(np.float32)
    pads = [kernel // 2] * 4
    node = helper.make_node(
        "Conv", [name, f"{result}.weight", f"{result}.bias"], [result], result, group=group
    )
    node.attribute.append(helper.make_attribute("pads", pads))
    return [node], {f"{result}.weight": weight, f"{result}.bias": bias}


def graph(parts, outputs):
    """A model of `x`, N×3×6×6, from lists of nodes and their constants."""
    nodes = [node for part, _ in parts for node in part]
    values = {name: value for _, constants in parts for name, value in constants.items()}
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "test",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", count, SIDE, SIDE])
                for name, count in outputs.items()
            ],
            [numpy_helper.from_array(value, name) for name, value in values.items()],
        ),
        opset_imports=[helper.make_opsetid("", 19)],
        ir_version=9,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def node(op, inputs, outputs, **attributes):
    return [helper.make_node(op, inputs, outputs, **attributes)], {}


def assert_same(model, rewritten):
    x = np.random.default_rng(1).normal(size=(3, 3, SIDE, SIDE)).astype(np.float32)
    before, after = (
        ort.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            None, {"x": x}
        )
        for m in (model, rewritten)
    )
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


def operators(model):
    return [entry.op_type for entry in model.graph.node]


@pytest.mark.parametrize("groups", [2, 3, 4])
def test_a_shuffle_between_convolutions_goes_into_the_weights(groups):
    model = graph(
        [
            conv("x", "a", 12, 3),
            node("Relu", ["a"], ["r"]),
            shuffle("r", "s", 12, groups),
            conv("s", "d", 12, 12, 3, group=12),
            node("MaxPool", ["d"], ["p"], kernel_shape=[1, 1]),
            conv("p", "y", 5, 12),
        ],
        {"y": 5},
    )
    rewritten = remove_channel_shuffles(model)
    assert not {"Transpose", "Reshape", "Concat"} & {*operators(rewritten)}
    assert_same(model, rewritten)


def test_two_shuffles_in_a_row_and_a_split_between_them():
    model = graph(
        [
            conv("x", "a", 8, 3),
            conv("x", "b", 4, 3, 3),
            node("Concat", ["a", "b"], ["ab"], axis=1),
            shuffle("ab", "s", 12, 2),
            node("Split", ["s"], ["left", "right"], axis=1, num_outputs=2),
            node("Concat", ["right", "left"], ["rl"], axis=1),
            shuffle("rl", "t", 12, 3),
            conv("t", "y", 5, 12, 3),
            conv("left", "z", 4, 6),
        ],
        {"y": 5, "z": 4},
    )
    rewritten = remove_channel_shuffles(model)
    assert not {"Transpose", "Reshape", "Split"} & {*operators(rewritten)}
    assert_same(model, rewritten)


def test_weights_that_two_nodes_share_are_permuted_for_the_one_alone():
    model = graph(
        [
            conv("x", "a", 12, 3),
            conv("x", "c", 12, 3),
            shuffle("a", "s", 12, 2),
            conv("s", "y", 5, 12),
            node("Conv", ["c", "y.weight", "y.bias"], ["z"], name="z"),
        ],
        {"y": 5, "z": 5},
    )
    rewritten = remove_channel_shuffles(model)
    assert "Transpose" not in operators(rewritten)
    assert_same(model, rewritten)


@pytest.mark.parametrize(
    "reader",
    [
        [],  # the shuffled map itself is an output
        [node("Softmax", ["s"], ["y"], axis=1)],
        [conv("s", "y", 12, 12, group=3)],
    ],
)
def test_where_the_order_is_needed_the_graph_comes_back_untouched(reader):
    parts = [conv("x", "a", 12, 3), shuffle("a", "s", 12, 2), *reader]
    model = graph(parts, {"y" if reader else "s": 12})
    assert remove_channel_shuffles(model) is model


def test_a_shuffle_of_an_input_comes_back_untouched():
    model = graph([shuffle("x", "s", 3, 3), conv("s", "y", 5, 3)], {"y": 5})
    assert remove_channel_shuffles(model) is model


def test_another_transpose_is_no_shuffle():
    nodes, values = shuffle("a", "s", 12, 2)
    nodes[1].attribute[0].ints[:] = [0, 1, 2, 4, 3]
    model = graph([conv("x", "a", 12, 3), (nodes, values), conv("s", "y", 5, 12)], {"y": 5})
    assert remove_channel_shuffles(model) is model


def test_ragged_maps_before_depthwise_convolutions_are_filled():
    model = graph(
        [
            conv("x", "a", 24, 3),
            node("Relu", ["a"], ["r"]),
            conv("r", "d", 24, 24, 3, group=24),
            conv("d", "y", 5, 24),
        ],
        {"y": 5},
    )
    filled = fill_channels(model)
    weights = {t.name: list(t.dims) for t in filled.graph.initializer}
    assert weights == {
        "a.weight": [32, 3, 1, 1],
        "a.bias": [32],
        "d.weight": [32, 1, 3, 3],
        "d.bias": [32],
        "y.weight": [5, 32, 1, 1],
        "y.bias": [5],
    }
    assert_same(model, filled)


def test_maps_that_would_grow_too_much_stay():
    model = graph(
        [conv("x", "a", 17, 3), conv("a", "d", 17, 17, 3, group=17), conv("d", "y", 5, 17)],
        {"y": 5},
    )
    assert fill_channels(model) is model


def test_maps_that_are_added_are_not_filled():
    model = graph(
        [
            conv("x", "a", 24, 3),
            conv("a", "d", 24, 24, 3, group=24),
            node("Add", ["a", "d"], ["sum"]),
            conv("sum", "y", 5, 24),
        ],
        {"y": 5},
    )
    assert fill_channels(model) is model
