"""Every rule of the Q/DQ lint: a graph that breaks it is found, and what the parser says of it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.engine.builder import BuildOptions, build_engine
from export.engine.parsing import RefusedGraphError
from export.qdq.lint import RULES, lint, require_clean
from runtime.errors import InputError

HALF = np.float16


class Draft:
    """Two convolutions with Q/DQ as TensorRT takes it; tests spoil one thing."""

    def __init__(self, opset: int = 19) -> None:
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        rng = np.random.default_rng(0)
        self.pair("x", "x_dq", HALF(0.05))
        self.conv("first", "x_dq", rng.normal(size=(8, 4, 3, 3)))
        self.add("Relu", "first_out", "relu", name="relu")
        self.pair("relu", "relu_dq", HALF(0.05))
        self.conv("second", "relu_dq", rng.normal(size=(8, 8, 3, 3)))
        self.add("Relu", "second_out", "y", name="last_relu")

    def add(self, op, inputs, output, **attributes):
        names = [inputs] if isinstance(inputs, str) else list(inputs)
        self.nodes.append(helper.make_node(op, names, [output], **attributes))

    def pair(self, source, target, scale, **attributes):
        scale = np.asarray(scale)
        self.constants[f"{target}_scale"] = scale
        self.constants[f"{target}_zero"] = np.zeros(scale.shape, np.int8)
        rest = [f"{target}_scale", f"{target}_zero"]
        self.add(
            "QuantizeLinear",
            [source, *rest],
            f"{target}_q",
            name=f"{target}_quantize",
            **attributes,
        )
        self.add(
            "DequantizeLinear",
            [f"{target}_q", *rest],
            target,
            name=f"{target}_dequantize",
            **attributes,
        )

    def conv(self, name, source, weight):
        self.constants[f"{name}_w"] = weight.astype(HALF)
        self.constants[f"{name}_b"] = np.zeros(len(weight), HALF)
        self.pair(f"{name}_w", f"{name}_w_dq", np.full(len(weight), 0.02, HALF), axis=0)
        self.add("Conv", [source, f"{name}_w_dq", f"{name}_b"], f"{name}_out", name=name)

    def node(self, name):
        return next(node for node in self.nodes if node.name == name)

    def __call__(self) -> onnx.ModelProto:
        kind = TensorProto.FLOAT16
        graph = helper.make_graph(
            self.nodes,
            "draft",
            [helper.make_tensor_value_info("x", kind, ["N", 4, 8, 8])],
            [helper.make_tensor_value_info("y", kind, ["N", 8, 4, 4])],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        opset = helper.make_opsetid("", self.opset)
        return helper.make_model(graph, opset_imports=[opset], ir_version=9)


def old_opset(draft):
    draft.opset = 17


def unsigned(draft):
    draft.constants["relu_dq_zero"] = np.uint8(0)


def no_zero_point(draft):
    del draft.node("relu_dq_quantize").input[2]
    del draft.node("relu_dq_dequantize").input[2]


def asymmetric(draft):
    draft.constants["relu_dq_zero"] = np.int8(-128)


def asymmetric_weights(draft):
    draft.constants["first_w_dq_zero"] = np.array([0] * 7 + [3], np.int8)


def computed_scale(draft):
    draft.nodes.insert(0, helper.make_node("Identity", ["relu_dq_scale"], ["made"], name="id"))
    draft.node("relu_dq_quantize").input[1] = "made"
    draft.node("relu_dq_dequantize").input[1] = "made"


def negative_scale(draft):
    draft.constants["relu_dq_scale"] = HALF(-0.05)


def zero_scale(draft):
    draft.constants["first_w_dq_scale"] = np.array([0.02] * 7 + [0], HALF)


def infinite_scale(draft):
    draft.constants["relu_dq_scale"] = HALF(np.inf)


def scale_per_channel(draft):
    for part in ("scale", "zero"):
        draft.constants[f"relu_dq_{part}"] = np.repeat(draft.constants[f"relu_dq_{part}"], 8)


def wrong_axis(draft):
    for which in ("quantize", "dequantize"):
        draft.node(f"second_w_dq_{which}").attribute[0].i = 1


def bias_from_int32(draft):
    draft.constants |= {
        "b_int": np.zeros(8, np.int32),
        "b_scale": np.full(8, 0.001, HALF),
        "b_zero": np.zeros(8, np.int32),
    }
    draft.nodes.insert(
        0,
        helper.make_node(
            "DequantizeLinear", ["b_int", "b_scale", "b_zero"], ["b"], name="bias_dq", axis=0
        ),
    )
    draft.node("second").input[2] = "b"


def bias_in_a_pair(draft):
    draft.pair("second_b", "b_dq", HALF(0.001))
    draft.nodes = [*draft.nodes[-2:], *draft.nodes[:-2]]
    draft.node("second").input[2] = "b_dq"


def no_dequantize(draft):
    draft.add("Identity", "relu_dq_q", "leak", name="leak")


def no_quantize(draft):
    draft.add("Cast", "relu", "relu_int", name="to_int8", to=TensorProto.INT8)
    draft.nodes.insert(6, draft.nodes.pop())
    draft.nodes.remove(draft.node("relu_dq_quantize"))
    draft.node("relu_dq_dequantize").input[0] = "relu_int"


def two_scales(draft):
    draft.constants["other"] = HALF(0.1)
    draft.node("relu_dq_dequantize").input[1] = "other"


def weights_alone(draft):
    draft.node("second").input[0] = "relu"
    draft.nodes = [node for node in draft.nodes if not node.name.startswith("relu_dq")]


def input_alone(draft):
    draft.node("second").input[1] = "second_w"
    draft.nodes = [node for node in draft.nodes if not node.name.startswith("second_w_dq")]


def between_layer_and_activation(draft):
    draft.pair("first_out", "early", HALF(0.05))
    draft.nodes[5:5] = [draft.nodes.pop(-2), draft.nodes.pop(-1)]
    draft.node("relu").input[0] = "early"


BREACHES = {
    old_opset: ("opset 19 for FP16", "x_dq_quantize"),
    unsigned: ("int8", "relu_dq_quantize"),
    no_zero_point: ("int8", "relu_dq_quantize"),
    asymmetric: ("zero point 0", "relu_dq_quantize"),
    asymmetric_weights: ("zero point 0", "first_w_dq_quantize"),
    computed_scale: ("constant scale", "relu_dq_quantize"),
    negative_scale: ("positive scale", "relu_dq_quantize"),
    zero_scale: ("positive scale", "first_w_dq_quantize"),
    infinite_scale: ("positive scale", "relu_dq_quantize"),
    scale_per_channel: ("one scale per activation", "relu_dq_quantize"),
    wrong_axis: ("axis 0", "second_w_dq_quantize"),
    bias_from_int32: ("no bias", "bias_dq"),
    bias_in_a_pair: ("no bias", "b_dq_dequantize"),
    no_dequantize: ("pairs", "relu_dq_quantize"),
    no_quantize: ("pairs", "relu_dq_dequantize"),
    two_scales: ("pairs", "relu_dq_dequantize"),
    weights_alone: ("both or neither", "second"),
    input_alone: ("both or neither", "second"),
    between_layer_and_activation: ("inputs, not outputs", "early_quantize"),
}


# What NVIDIA's parser refuses as well; the rest builds.
REFUSED = (asymmetric, asymmetric_weights, negative_scale, zero_scale, bias_from_int32)


def spoiled(spoil) -> onnx.ModelProto:
    draft = Draft()
    spoil(draft)
    return draft()


def test_a_graph_without_breach_is_clean():
    model = Draft()()
    onnx.checker.check_model(model, full_check=True)
    assert lint(model) == []
    require_clean(model)


@pytest.mark.parametrize("spoil", BREACHES, ids=lambda spoil: spoil.__name__)
def test_a_breach_is_found_by_its_rule_at_its_node(spoil):
    rule, node = BREACHES[spoil]
    findings = lint(spoiled(spoil))
    assert {finding.rule for finding in findings} == {rule}
    assert findings[0].node == node
    assert findings[0].hint


def test_every_rule_has_a_graph_that_breaks_it():
    assert {rule for rule, _ in BREACHES.values()} == set(RULES)


def test_refusal_names_the_first_and_counts_the_rest():
    with pytest.raises(InputError, match=r"relu_dq_quantize .*'zero point 0'.*-128.*1 more"):
        require_clean(spoiled(asymmetric))


@pytest.mark.parametrize("spoil", REFUSED, ids=lambda spoil: spoil.__name__)
def test_the_parser_refuses_it_too_at_the_same_node(spoil, rtx):
    rule, node = BREACHES[spoil]
    assert RULES[rule].effect == "refused"
    with pytest.raises(RefusedGraphError) as caught:
        build_engine(rtx, spoiled(spoil).SerializeToString())
    assert caught.value.refusals[0].node == node


def test_unsigned_pairs_are_misread_as_signed_ones(rtx):
    options = BuildOptions(capabilities=("8.6",))
    log = build_engine(rtx, spoiled(unsigned).SerializeToString(), options).log
    assert RULES["int8"].effect == "misread"
    assert any("Defaulting to INT8" in line.text for line in log)


def test_a_clean_graph_builds(rtx):
    options = BuildOptions(capabilities=("8.6",))
    assert build_engine(rtx, Draft()().SerializeToString(), options).plan
