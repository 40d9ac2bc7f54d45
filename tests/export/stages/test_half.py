"""Whether a network stays within what FP16 holds."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from calibration.ranges import collect_ranges
from export.rewrites.half_precision import LARGEST
from export.stages.half import overflowing, rounded_once
from export.stages.onnx_graph import to_onnx
from runtime.artifact.contract import InputContract, ModelContract

CONTRACT = ModelContract(InputContract(8, 8), ("a", "b"), ("a",))


class Loud(torch.nn.Module):
    """Multiplies by `gain` and back: what comes out does not tell how large it was within."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.up = torch.nn.Conv2d(1, 4, 1, bias=False)
        self.down = torch.nn.Conv2d(4, 4, 1, bias=False)
        with torch.no_grad():
            self.up.weight.fill_(gain)
            self.down.weight.fill_(1 / gain)

    def forward(self, image):
        # In FP32 until here, whatever the network's type: sums of gray levels may be large.
        large = (image.to(torch.float32) * 1000).mean((2, 3), keepdim=True) / 1000
        embedding = self.down(torch.relu(self.up(large.to(self.up.weight.dtype)))).mean((2, 3))
        return embedding[:, :2], embedding


@pytest.mark.parametrize(("gain", "expected"), [(10.0, 0), (1000.0, 2)])
def test_tensors_beyond_fp16_are_found_where_answers_do_not_show_them(gain, expected, graph_of):
    images = np.full((2, 8, 8), 255, np.uint8)
    network = Loud(gain).eval()
    ranges = collect_ranges(graph_of(network, CONTRACT), images)
    found = overflowing(graph_of(network, CONTRACT, half=True), ranges)
    assert len(found) == expected
    assert all(LARGEST < largest == pytest.approx(255_000) for largest in found.values())


def test_nan_does_not_pass(graph_of):
    half = graph_of(Loud(10.0).eval(), CONTRACT, half=True)
    assert overflowing(half, {"conv_0": (0.0, float("nan"))}).keys() == {"conv_0"}


class Normalised(torch.nn.Module):
    """A convolution and a batch norm whose factors are no powers of two."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 32, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(32)
        torch.manual_seed(0)
        with torch.no_grad():
            for tensor in (self.norm.weight, self.norm.running_var):
                tensor.uniform_(0.5, 1.5)  # type: ignore[union-attr]

    def forward(self, image):
        features = self.norm(self.conv(image.to(self.conv.weight.dtype) / 255))
        return features.mean((2, 3))[:, :2], features.mean((2, 3))


def weights(model):
    return {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if len(tensor.dims) == 4
    }


def test_weights_are_rounded_once_and_those_of_the_network_stay_as_they_were():
    network = Normalised().eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    fp32, half = to_onnx(network, CONTRACT), to_onnx(network, CONTRACT, half=True)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])
    once = rounded_once(half, fp32)
    (name, exact), *_ = weights(fp32).items()
    error = np.abs(weights(once)[name].astype(np.float64) - exact)
    # Half a unit in the last place, which the weights folded in FP16 exceed.
    half_unit = np.spacing(np.abs(exact).astype(np.float16)).astype(np.float64) / 2
    assert (error <= half_unit).all()
    assert (np.abs(weights(half)[name].astype(np.float64) - exact) > half_unit).any()
    assert [node.name for node in once.graph.node] == [node.name for node in half.graph.node]


class Masking(torch.nn.Module):
    """Leaves half of its features out of a softmax, as attention does with what it must not see."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 1)

    def forward(self, image):
        scores = self.conv(image.to(self.conv.weight.dtype) / 255).mean((2, 3))
        hidden = torch.arange(4) % 2 == 1
        shares = scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(1)
        return shares[:, :2], shares


def test_what_stands_for_infinity_is_no_overflow_and_stays_finite():
    network = Masking().eval()
    fp32, half = to_onnx(network, CONTRACT), to_onnx(network, CONTRACT, half=True)
    ranges = collect_ranges(fp32, np.full((2, 8, 8), 255, np.uint8))
    assert min(low for low, _ in ranges.values()) < -1e38
    once = rounded_once(half, fp32)
    assert overflowing(once, ranges) == {}
    for tensor in once.graph.initializer:
        assert np.isfinite(onnx.numpy_helper.to_array(tensor)).all()
