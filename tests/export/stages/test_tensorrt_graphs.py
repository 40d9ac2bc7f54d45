"""The graphs that TensorRT gets, of every network: compiled by NVIDIA's builder, without a GPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper

from calibration.layers import weighted_layers
from calibration.ranges import collect_ranges
from edgecl.learning.config import ENCODER_NAMES
from edgecl.learning.model import Backbone, Classifier
from export.engine.builder import Batches, BuildOptions, build_engine
from export.qdq.emulation import emulate
from export.qdq.lint import lint
from export.qdq.tensorrt import quantize_for_tensorrt
from export.stages.onnx_graph import to_onnx
from runtime.artifact.contract import InputContract, ModelContract
from runtime.errors import InputError
from tests.export.stages import test_graph_and_precisions as others
from tests.large_encoders import encoders

# Of the others, which take long to export, only the FP16 graph is made, with invented ranges.
CALIBRATED = (
    "convnet",
    "skipconvnet",
    "shufflenet",
    "squeezenet",
    "cnn-lstm",
    "vit-small",
)
LARGE = ("resnet50", "resnet50-pooled", "resnet101-svm", "resnet152", "inceptionv3", "vgg19")
ENCODERS = encoders(ENCODER_NAMES, LARGE)
# The paper's size where a layer grows with it; small images compile the same layers sooner.
SIZES = {"convnet": (128, 800), "inceptionv3": (80, 80)}
# Other tests export these as well: each is exported once for all.
SHARED = ("shufflenet", "skipconvnet", "squeezenet", "resnet50", "cnn-lstm", "vit-small")
# A T4, and what most engines for x86 boxes are built for.
OPTIONS = BuildOptions(Batches(1, 1, 4), capabilities=("7.5", "8.6"))


@dataclass
class Graphs:
    """One network's graphs."""

    half: onnx.ModelProto
    int8: onnx.ModelProto
    full: onnx.ModelProto | None = None
    images: np.ndarray | None = None


def network(name, size):
    torch.manual_seed(0)
    return Classifier(Backbone(name, size), 3).eval()


def contract(size):
    return ModelContract(InputContract(*size), ("a", "b", "c"), ("a",))


def invented(model):
    return {name: (-4.0, 4.0) for node in model.graph.node for name in node.output}


@pytest.fixture(scope="module", params=ENCODERS)
def graphs(request, graph_of):
    if request.param in SHARED:
        size, classifier, agreed = others.SIZE, others.network(request.param), others.CONTRACT
    else:
        size = SIZES.get(request.param, (32, 48))
        classifier, agreed = network(request.param, size), contract(size)
    half = graph_of(classifier, agreed, half=True)
    if request.param not in CALIBRATED:
        return Graphs(half, quantize_for_tensorrt(half, invented(half)))
    full = graph_of(classifier, agreed)
    images = np.random.default_rng(0).integers(0, 256, (8, *size), np.uint8)
    int8 = quantize_for_tensorrt(half, collect_ranges(full, images))
    return Graphs(half, int8, full, images)


def test_both_graphs_compile(graphs, rtx):
    for model in (graphs.half, graphs.int8):
        engine = build_engine(rtx, model.SerializeToString(), OPTIONS)
        assert engine.plan
        assert not [line for line in engine.log if line.is_error]


def test_the_pairs_are_as_tensorrt_wants_them(graphs):
    assert lint(graphs.int8) == []
    constants = {t.name: numpy_helper.to_array(t) for t in graphs.int8.graph.initializer}
    scales = [
        constants[node.input[1]]
        for node in graphs.int8.graph.node
        if node.op_type == "QuantizeLinear"
    ]
    assert {scale.dtype for scale in scales} == {np.dtype(np.float16)}
    made = {name: node.op_type for node in graphs.int8.graph.node for name in node.output}
    layers = weighted_layers(graphs.half)
    after = {node.name: node for node in graphs.int8.graph.node}
    assert layers
    for layer in layers:
        kinds = [made.get(name) for name in after[layer.node].input]
        assert kinds[:2] == ["DequantizeLinear"] * 2
        assert kinds[2:] in ([], [None])
    assert graphs.int8.metadata_props == graphs.half.metadata_props


def test_what_is_no_layer_stands_as_it_stood(graphs):
    def others(model):
        kinds = ("QuantizeLinear", "DequantizeLinear")
        return [
            (n.op_type, n.name, list(n.output)) for n in model.graph.node if n.op_type not in kinds
        ]

    assert sorted(others(graphs.int8)) == sorted(others(graphs.half))


def test_answers_stay_close_to_fp32(graphs):
    if graphs.full is None:
        pytest.skip("of this network only the FP16 graph is made")
    expected = emulate(graphs.full, graphs.images)
    answered = emulate(graphs.int8, graphs.images)
    np.testing.assert_allclose(answered.probabilities, expected.probabilities, atol=0.02)
    error = np.linalg.norm(answered.embedding - expected.embedding)
    assert error < 0.1 * np.linalg.norm(expected.embedding)


def test_nodes_and_tensors_have_the_same_names_in_fp32_and_fp16(graphs):
    if graphs.full is None:
        pytest.skip("of this network only the FP16 graph is made")

    def places(model):
        return [
            (node.op_type, node.name, [name for name in node.output if name != "embedding"])
            for node in model.graph.node
            if node.op_type != "Cast"
        ]

    # What the FP32 graph answers itself, the FP16 graph casts first.
    *rest, probabilities = places(graphs.full)
    *half_rest, half_probabilities = places(graphs.half)
    assert probabilities == half_probabilities
    for one, other in zip(rest, half_rest, strict=True):
        assert one[:2] == other[:2]
        assert not one[2] or one[2] == other[2]


@pytest.fixture(scope="module")
def residual():
    """Two residual blocks: one past a convolution, one past nothing."""

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = torch.nn.Conv2d(1, 8, 3, padding=1)
            self.shortcut = torch.nn.Conv2d(8, 16, 1)
            self.first = torch.nn.Conv2d(8, 16, 3, padding=1)
            self.second = torch.nn.Conv2d(16, 16, 3, padding=1)
            self.third = torch.nn.Conv2d(16, 16, 3, padding=1)
            self.head = torch.nn.Linear(16, 3)

        def forward(self, image):
            x = torch.relu(self.stem(image.to(self.stem.weight.dtype)))
            x = torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))
            x = torch.relu(self.third(x) + x)
            embedding = x.mean((2, 3))
            return self.head(embedding), embedding

    torch.manual_seed(0)
    return to_onnx(Net().eval(), contract((16, 16)), half=True)


def makers(model, op):
    """For every node of a kind: the operators that make its inputs, through pairs or not."""
    made = {name: node for node in model.graph.node for name in node.output}
    return [
        tuple(made[name].op_type for name in node.input if name in made)
        for node in model.graph.node
        if node.op_type == op
    ]


def test_one_input_of_a_residual_sum_is_quantised(residual):
    int8 = quantize_for_tensorrt(residual, invented(residual))
    assert sorted(makers(int8, "Add")) == [("Conv", "DequantizeLinear")] * 2
    assert lint(int8) == []
    # The shortcut is rounded, not the longer branch, which is fused with the sum.
    shortcut = next(layer for layer in weighted_layers(residual) if layer.name == "shortcut")
    output = next(n.output[0] for n in residual.graph.node if n.name == shortcut.node)
    assert any(n.op_type == "QuantizeLinear" and n.input[0] == output for n in int8.graph.node)


def test_a_kept_layer_reads_and_weighs_in_fp16(residual):
    third = next(layer for layer in weighted_layers(residual) if layer.name == "third")
    int8 = quantize_for_tensorrt(residual, invented(residual), keep=[third.node])
    kept = next(node for node in int8.graph.node if node.name == third.node)
    original = next(node for node in residual.graph.node if node.name == third.node)
    assert list(kept.input) == list(original.input)
    assert lint(int8) == []


def test_all_layers_kept_leaves_the_graph_as_it_is(residual):
    keep = [layer.node for layer in weighted_layers(residual)]
    assert quantize_for_tensorrt(residual, {}, keep=keep) == residual


def test_the_embedding_that_leaves_is_not_rounded(residual):
    int8 = quantize_for_tensorrt(residual, invented(residual))
    assert sorted(makers(residual, "Cast")) == sorted(makers(int8, "Cast"))


def test_a_range_that_is_missing_is_named(residual):
    ranges = invented(residual)
    del ranges["relu_1"]
    with pytest.raises(InputError, match=r"no range for 'relu_1', an input of 'conv_\d'"):
        quantize_for_tensorrt(residual, ranges)


@pytest.mark.parametrize("high", [7e4, np.inf, np.nan])
def test_a_range_beyond_fp16_is_refused(residual, high):
    ranges = invented(residual) | {"relu_1": (0.0, high)}
    with pytest.raises(InputError, match="'relu_1', beyond the range of FP16"):
        quantize_for_tensorrt(residual, ranges)


def test_a_large_range_and_an_empty_one_make_usable_scales(residual):
    ranges = invented(residual) | {"relu_0": (0.0, 6e4), "relu_1": (0.0, 0.0)}
    assert lint(quantize_for_tensorrt(residual, ranges)) == []


def test_a_graph_in_fp32_is_refused(residual):
    full = onnx.ModelProto()
    full.CopyFrom(residual)
    for tensor in full.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            value = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    with pytest.raises(ValueError, match="computes in FP32"):
        quantize_for_tensorrt(full, invented(full))


def test_an_older_opset_is_refused(residual):
    old = onnx.ModelProto()
    old.CopyFrom(residual)
    old.opset_import[0].version = 17
    with pytest.raises(ValueError, match="need opset 19, this graph has 17"):
        quantize_for_tensorrt(old, invented(old))
