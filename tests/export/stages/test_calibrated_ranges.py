"""The ranges of every algorithm reach the quantised graph, and the graph still answers."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import pytest

from calibration.observation import observe
from calibration.ranges import METHODS, ranges_of
from calibration.search.damage import measure_damage
from export.qdq.cpu import quantize_for_cpu
from runtime.session.onnxruntime import OnnxRuntimeSession
from tests.export.stages.test_graph_and_precisions import CONTRACT, SIZE, network


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Noise of several grains: finer and coarser structure, as on metal."""
    noise = np.random.default_rng(0).integers(0, 256, (12, *SIZE), np.uint8)
    return np.stack([cv2.GaussianBlur(one, (0, 0), 1 + row % 4) for row, one in enumerate(noise)])


@pytest.fixture(scope="module", params=["shufflenet", "convnet"])
def fp32(request, graph_of) -> onnx.ModelProto:
    return graph_of(network(request.param), CONTRACT)


@pytest.fixture(scope="module")
def observation(fp32, images):
    return observe(fp32, images)


def answers(model, images, tmp_path) -> np.ndarray:
    onnx.save(model, tmp_path / "model.onnx")
    with OnnxRuntimeSession(tmp_path / "model.onnx", precision="int8", threads=1) as session:
        return session.infer(images[:, None]).probabilities


@pytest.mark.parametrize("method", METHODS)
def test_int8_answers_like_fp32_with_the_ranges_of_every_algorithm(
    fp32, observation, images, tmp_path, method
):
    reference = answers(fp32, images, tmp_path)
    int8 = quantize_for_cpu(fp32, ranges_of(observation, method))
    damage = measure_damage(reference, answers(int8, images, tmp_path), reference.argmax(1))
    assert damage.agreement == 1
    assert damage.snr_db > 25


@pytest.mark.parametrize("method", METHODS)
def test_the_scale_in_the_graph_is_the_range_over_255(fp32, observation, method):
    ranges = ranges_of(observation, method)
    int8 = quantize_for_cpu(fp32, ranges)
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in int8.graph.initializer}
    checked = 0
    for node in int8.graph.node:
        # Patches of the image have its range.
        name = node.input[0].removesuffix("_patches")
        low, high = ranges.get(name, (0.0, 0.0))
        if node.op_type == "QuantizeLinear" and low < 0 < high:
            scale, zero = (constants[name] for name in node.input[1:3])
            assert scale == pytest.approx((high - low) / 255, rel=1e-6)
            assert float(zero) == pytest.approx(-low / float(scale), abs=0.51)
            checked += 1
    assert checked
