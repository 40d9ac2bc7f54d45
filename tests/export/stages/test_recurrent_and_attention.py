"""Networks with an LSTM or with attention: the same answers from every precision and engine."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from calibration.ranges import collect_ranges
from export.qdq.cpu import quantize_for_cpu
from runtime.session.onnxruntime import OnnxRuntimeSession
from runtime.session.openvino import OpenVinoSession
from tests.export.stages.test_graph_and_precisions import CONTRACT, SIZE, network

ENGINES = (OnnxRuntimeSession, OpenVinoSession)


@pytest.fixture(scope="module", params=["cnn-lstm", "vit-small"])
def classifier(request):
    return network(request.param)


@pytest.fixture(scope="module")
def fp32(classifier, graph_of):
    return graph_of(classifier, CONTRACT)


@pytest.fixture(scope="module")
def batch():
    return np.random.default_rng(0).integers(0, 256, (5, 1, *SIZE), np.uint8)


def answers(kind, model, precision, tmp_path, batch):
    path = tmp_path / f"model.{precision}.onnx"
    onnx.save(model, path)
    with kind(path, precision=precision, threads=1) as session:
        return session.infer(batch)


def expected(classifier, batch):
    with torch.no_grad():
        logits, embedding = classifier(torch.from_numpy(batch))
    return logits.softmax(1).numpy(), embedding.numpy()


@pytest.mark.parametrize("kind", ENGINES)
def test_the_graph_answers_like_the_network(classifier, fp32, batch, tmp_path, kind):
    probabilities, embedding = expected(classifier, batch)
    for count in (1, 5):
        given = answers(kind, fp32, "fp32", tmp_path, batch[:count])
        np.testing.assert_allclose(given.probabilities, probabilities[:count], atol=1e-5)
        np.testing.assert_allclose(given.embedding, embedding[:count], atol=1e-4)


def test_half_precision_stays_close(classifier, graph_of, batch, tmp_path):
    half = graph_of(classifier, CONTRACT, half=True)
    given = answers(OnnxRuntimeSession, half, "fp16", tmp_path, batch)
    np.testing.assert_allclose(given.probabilities, expected(classifier, batch)[0], atol=5e-3)


@pytest.mark.parametrize("kind", ENGINES)
def test_int8_loads_everywhere_stays_close_and_is_smaller(classifier, fp32, batch, tmp_path, kind):
    int8 = quantize_for_cpu(fp32, collect_ranges(fp32, batch[:, 0]))
    # An LSTM keeps its weights, which are half of that network.
    assert int8.ByteSize() < 0.8 * fp32.ByteSize()
    given = answers(kind, int8, "int8", tmp_path, batch)
    np.testing.assert_allclose(given.probabilities, expected(classifier, batch)[0], atol=0.05)
