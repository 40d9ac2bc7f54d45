"""Q/DQ for the CPU: the first layer, shared scales, and what stays in float."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from calibration.ranges import collect_ranges
from export.qdq.cpu import CpuEngine, quantize_for_cpu, with_one_scale_per_concatenation
from export.qdq.first_layer import (
    FirstLayer,
    first_layer,
    pool_before_relu,
    with_pairs,
    with_patches,
)
from export.rewrites import apply
from export.rewrites.graph import constants
from runtime.session.onnxruntime import OnnxRuntimeSession
from runtime.session.openvino import OpenVinoSession
from tests.export.stages.test_graph_and_precisions import CONTRACT, SIZE, network

ENGINES: tuple[CpuEngine, ...] = ("onnxruntime", "openvino")
POOLED, PLAIN = "shufflenet", "convnet"


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (6, *SIZE), np.uint8)


@pytest.fixture(scope="module")
def models(graph_of):
    """By encoder: the rewritten FP32 graph."""
    result = {}
    for name in (POOLED, PLAIN):
        result[name], _ = apply(graph_of(network(name), CONTRACT))
    return result


@pytest.fixture(scope="module")
def ranges(models, images):
    return {name: collect_ranges(model, images) for name, model in models.items()}


def layer_of(model) -> FirstLayer:
    layer = first_layer(model)
    assert layer is not None
    return layer


def answers(model, images):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["probabilities", "embedding"], {"image": images[:, None]})


def kinds_of_weights(model):
    """By the name of the convolution: whether its weights are eight bits."""
    made = {name: node for node in model.graph.node for name in node.output}
    return {
        node.name: node.input[1] in made and made[node.input[1]].op_type == "DequantizeLinear"
        for node in model.graph.node
        if node.op_type == "Conv"
    }


def test_first_layers_are_found_with_what_follows_them(models):
    pooled, plain = (layer_of(models[name]) for name in (POOLED, PLAIN))
    assert pooled.pool is not None
    assert plain.relu is not None
    assert plain.pool is None


def test_all_forms_of_the_first_layer_are_exact(models, images):
    for name, model in models.items():
        layer = layer_of(model)
        forms = [with_patches(model, layer)[0], with_pairs(model, layer)[0]]
        if layer.pool is not None:
            forms.append(pool_before_relu(model, layer))
        for form in forms:
            onnx.checker.check_model(form, full_check=True)
            assert form.graph.node != model.graph.node
            for before, after in zip(answers(model, images), answers(form, images), strict=True):
                np.testing.assert_allclose(after, before, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("pad", [0, 1, 2, 3])
def test_pairs_of_columns_for_any_kernel_and_padding(kernel, pad):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4, 1, kernel, kernel)).astype(np.float32)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], pads=[pad] * 4)],
            "test",
            [onnx.helper.make_tensor_value_info("x", 1, ["N", 1, 9, 12])],
            [onnx.helper.make_tensor_value_info("y", 1, ["N", 4, None, None])],
            [onnx.numpy_helper.from_array(weight, "w")],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 19)],
        ir_version=9,
    )
    paired, tensors = with_pairs(model, layer_of(model))
    x = rng.normal(size=(2, 1, 9, 12)).astype(np.float32)
    before, after = (
        ort.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            None, {"x": x}
        )[0]
        for m in (model, paired)
    )
    np.testing.assert_allclose(after, before, atol=1e-4)
    assert (paired is model) == (not tensors)
    if kernel == 3:
        assert tensors


def test_a_pooled_first_layer_stays_in_float_for_onnxruntime_only(models, ranges):
    name = layer_of(models[POOLED]).convolution.name
    for engine in ENGINES:
        int8 = quantize_for_cpu(models[POOLED], ranges[POOLED], engine=engine)
        kinds = kinds_of_weights(int8)
        assert kinds.pop(name) == (engine == "openvino")
        assert all(kinds.values())


def test_another_first_layer_multiplies_patches_of_whole_fours(models, ranges):
    layer = layer_of(models[PLAIN])
    int8 = quantize_for_cpu(models[PLAIN], ranges[PLAIN])
    kinds = kinds_of_weights(int8)
    assert kinds[layer.convolution.name]
    assert sum(not eight_bits for eight_bits in kinds.values()) == 1  # it lays the patches out
    values = constants(int8)
    weight = next(
        v for k, v in values.items() if k.startswith(layer.convolution.input[1]) and v.ndim == 4
    )
    assert weight.dtype == np.int8
    assert weight.shape[1:] == (12, 1, 1)


def test_a_first_layer_that_is_kept_is_left_alone(models, ranges):
    for name, model in models.items():
        convolution = layer_of(model).convolution
        int8 = quantize_for_cpu(model, ranges[name], keep=[convolution.name])
        kinds = kinds_of_weights(int8)
        assert not kinds.pop(convolution.name)
        assert all(kinds.values())
        assert len(kinds) + 1 == sum(node.op_type == "Conv" for node in model.graph.node)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("session_of", [OnnxRuntimeSession, OpenVinoSession])
def test_both_engines_run_both_files(models, ranges, images, tmp_path, engine, session_of):
    for name, model in models.items():
        path = tmp_path / "model.int8.onnx"
        int8 = quantize_for_cpu(model, ranges[name], engine=engine)
        onnx.save(int8, path)
        expected, _ = answers(model, images)
        with session_of(path, precision="int8", threads=1) as session:
            given = session.infer(images[:, None]).probabilities
        np.testing.assert_allclose(given, expected, atol=0.02)
        assert list(int8.metadata_props) == list(model.metadata_props)


def test_what_is_concatenated_has_one_scale(models, ranges):
    int8 = quantize_for_cpu(models[POOLED], ranges[POOLED])
    made = {name: node for node in int8.graph.node for name in node.output}
    readers = {name: node for node in int8.graph.node for name in node.input}
    values = constants(int8)
    concatenations = [node for node in int8.graph.node if node.op_type == "Concat"]
    assert concatenations
    for node in concatenations:
        pairs = [made[name] for name in node.input] + [readers[node.output[0]]]
        assert len({float(values[pair.input[1]]) for pair in pairs}) == 1


def test_scales_are_shared_through_chains_of_concatenations():
    nodes = [
        onnx.helper.make_node("Concat", ["a", "b"], ["ab"], axis=1),
        onnx.helper.make_node("Concat", ["ab", "c"], ["abc"], axis=1),
    ]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "test", [], []))
    ranges = {
        "a": (0.0, 1.0),
        "b": (-1.0, 0.5),
        "ab": (-1.0, 1.0),
        "c": (0.0, 7.0),
        "x": (0.0, 3.0),
    }
    shared = with_one_scale_per_concatenation(model, ranges)
    assert {shared[name] for name in ("a", "b", "ab", "c")} == {(-1.0, 7.0)}
    assert shared["x"] == (0.0, 3.0)
    assert ranges["a"] == (0.0, 1.0)


@pytest.mark.parametrize("encoder", [POOLED, PLAIN])
@pytest.mark.parametrize("engine", ENGINES)
def test_embedding_and_logits_leave_in_float(models, ranges, encoder, engine):
    quantised = quantize_for_cpu(models[encoder], ranges[encoder], engine=engine)
    made = {name: node for node in quantised.graph.node for name in node.output}
    (softmax,) = (node for node in quantised.graph.node if node.op_type == "Softmax")
    head, dense = made[softmax.input[0]], made["embedding"]
    assert [head.op_type, dense.op_type] == ["Gemm", "Gemm"]
    assert head.input[0] == "embedding"
    # The layer that is large is of eight bits all the same, and nothing rounds what it gives.
    assert [made[name].op_type for name in dense.input[:2]] == ["DequantizeLinear"] * 2
    assert [node.name for node in quantised.graph.node if "embedding" in node.input] == [head.name]
