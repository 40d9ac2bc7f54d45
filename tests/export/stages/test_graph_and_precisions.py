"""torch → ONNX → half → INT8: the same answers, the contract inside, the rules held."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from calibration.ranges import collect_ranges
from edgecl.learning.config import ENCODER_NAMES
from edgecl.learning.model import Backbone, Classifier
from export.qdq.cpu import quantize_for_cpu
from export.stages.onnx_graph import OPSET, to_onnx
from runtime.artifact.contract import InputContract, ModelContract
from runtime.image.preprocess import Preprocessor
from runtime.session.onnxruntime import OnnxRuntimeSession
from runtime.session.openvino import OpenVinoSession
from tests.large_encoders import encoders

LABELS = ("clean", "pits", "scratches")
SIZE = (48, 64)
CONTRACT = ModelContract(InputContract(*SIZE), LABELS, ("clean",))
# The paper's own; what it compares with has the same layers, or stands in its own file. Each is
# exported for seconds: a plain network and one that shuffles channels stand for the others.
QUICK = ("convnet", "shufflenet")
OWN = ENCODER_NAMES[:6]
ENCODERS = encoders(OWN, {"resnet50", "resnet50-pooled"}, slow=set(OWN) - set(QUICK))


def network(name: str) -> Classifier:
    """Fresh weights, with batch norm statistics that are not the identity."""
    torch.manual_seed(0)
    classifier = Classifier(Backbone(name, SIZE), len(LABELS))
    with torch.no_grad():
        for module in classifier.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)
    return classifier.eval()


@pytest.fixture(scope="module", params=ENCODERS)
def classifier(request):
    return network(request.param)


@pytest.fixture(scope="module")
def fp32(classifier, graph_of):
    return graph_of(classifier, CONTRACT)


@pytest.fixture(scope="module")
def batch() -> np.ndarray:
    """Images as a camera gives them, prepared: colour, larger than the model's input."""
    rng = np.random.default_rng(0)
    preprocess = Preprocessor(CONTRACT.input)
    rows = preprocess.allocate(5)
    for row in rows:
        preprocess(rng.integers(0, 256, (96, 130, 3), np.uint8), row[0])
    return rows


@pytest.fixture(scope="module")
def ranges(fp32, batch):
    return collect_ranges(fp32, batch[:, 0])


@pytest.fixture(scope="module")
def int8(fp32, ranges):
    return quantize_for_cpu(fp32, ranges)


def by_torch(classifier, batch):
    with torch.no_grad():
        logits, embedding = classifier(torch.from_numpy(batch))
    return torch.softmax(logits, 1).numpy(), embedding.numpy()


def by_session(kind, model, tmp_path, *batches):
    """The answers to each batch, from one session."""
    path = tmp_path / "model.fp32.onnx"
    onnx.save(model, path)
    with kind(path, precision="fp32", threads=1) as session:
        assert session.contract == CONTRACT
        outputs = [session.infer(batch) for batch in batches]
    return [(output.probabilities, output.embedding) for output in outputs]


@pytest.mark.parametrize("kind", [OnnxRuntimeSession, OpenVinoSession])
def test_torch_onnx_and_the_line_give_the_same_answers(classifier, fp32, batch, tmp_path, kind):
    probabilities, embedding = by_torch(classifier, batch)
    singles = [batch[row : row + 1] for row in range(len(batch))]
    (answered, embedded), *alone = by_session(kind, fp32, tmp_path, batch, *singles)
    np.testing.assert_allclose(answered, probabilities, atol=1e-5)
    np.testing.assert_allclose(embedded, embedding, atol=1e-3, rtol=1e-4)
    np.testing.assert_allclose(
        np.concatenate([answer for answer, _ in alone]), probabilities, atol=1e-5
    )


def test_the_graph_is_what_the_contract_says(fp32):
    assert [entry.version for entry in fp32.opset_import if not entry.domain] == [OPSET]
    assert "BatchNormalization" not in {node.op_type for node in fp32.graph.node}
    (image,) = fp32.graph.input
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    shape = [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim]
    assert isinstance(shape[0], str)
    assert shape[1:] == [1, *SIZE]
    for output in fp32.graph.output:
        assert output.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    props = {entry.key: entry.value for entry in fp32.metadata_props}
    assert ModelContract.from_metadata(props, where="test") == CONTRACT


def test_the_file_carries_no_path_of_the_machine_that_exported_it(fp32):
    assert b"/site-packages/" not in fp32.SerializeToString()
    assert not any(node.metadata_props or node.doc_string for node in fp32.graph.node)


def test_half_precision_computes_in_half(classifier, batch, tmp_path, graph_of):
    half = graph_of(classifier, CONTRACT, half=True)
    weights = {tensor.data_type for tensor in half.graph.initializer if len(tensor.dims) == 4}
    assert weights == {onnx.TensorProto.FLOAT16}
    probabilities, _ = by_torch(classifier, batch)
    ((answered, _),) = by_session(OnnxRuntimeSession, half, tmp_path, batch)
    assert answered.dtype == np.float32
    np.testing.assert_allclose(answered, probabilities, atol=5e-3)


@pytest.mark.parametrize("kind", [OnnxRuntimeSession, OpenVinoSession])
def test_int8_stays_close_and_is_smaller(classifier, fp32, int8, batch, tmp_path, kind):
    kinds = [tensor.data_type for tensor in int8.graph.initializer if len(tensor.dims) == 4]
    assert set(kinds) == {onnx.TensorProto.INT8, onnx.TensorProto.FLOAT}
    assert kinds.count(onnx.TensorProto.FLOAT) == 1  # of the first layer
    assert int8.ByteSize() < 0.5 * fp32.ByteSize()
    probabilities, _ = by_torch(classifier, batch)
    ((answered, _),) = by_session(kind, int8, tmp_path, batch)
    # Roundings add up over the fifty untrained layers of a ResNet.
    convolutions = sum(isinstance(module, nn.Conv2d) for module in classifier.modules())
    np.testing.assert_allclose(answered, probabilities, atol=0.05 if convolutions < 50 else 0.15)
    softmax_inputs = [node.input[0] for node in int8.graph.node if node.op_type == "Softmax"]
    assert len(softmax_inputs) == 1


def test_weights_are_quantised_per_channel_and_symmetric(int8):
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in int8.graph.initializer}
    scales = [
        (constants[node.input[0]], constants[node.input[1]], constants[node.input[2]])
        for node in int8.graph.node
        if node.op_type == "DequantizeLinear"
        and node.input[0] in constants
        and constants[node.input[0]].ndim == 4
    ]
    assert scales
    for weight, scale, zero in scales:
        assert len(np.atleast_1d(scale)) == len(weight)
        assert not zero.any()


def test_ranges_cover_what_the_graph_computes(fp32, ranges, batch, tmp_path):
    for low, high in ranges.values():
        assert low <= high
    ((probabilities, _),) = by_session(OnnxRuntimeSession, fp32, tmp_path, batch)
    assert any(
        high == pytest.approx(float(probabilities.max()), abs=1e-5) for _, high in ranges.values()
    )


def test_ctrl_c_that_the_exporter_wraps_is_ctrl_c(monkeypatch):
    def wrapping(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise RuntimeError("failed to export the model") from error

    monkeypatch.setattr(torch.onnx, "export", wrapping)
    with pytest.raises(KeyboardInterrupt):
        to_onnx(nn.Identity().eval(), CONTRACT)


class Broken(nn.Module):
    """A network that cannot be traced."""

    def forward(self, image):
        raise ValueError("no such thing")


def test_any_other_failure_of_the_exporter_is_not_taken_for_ctrl_c():
    with pytest.raises(Exception, match="no such thing"):
        to_onnx(Broken().eval(), CONTRACT)
