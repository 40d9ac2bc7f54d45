"""Whether a network stays within what FP16 holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calibration.ranges import collect_ranges
from export.half import LARGEST, overflowing
from export.onnx_graph import to_onnx
from runtime.contract import InputContract, ModelContract

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
def test_tensors_beyond_fp16_are_found_where_answers_do_not_show_them(gain, expected):
    images = np.full((2, 8, 8), 255, np.uint8)
    network = Loud(gain).eval()
    ranges = collect_ranges(to_onnx(network, CONTRACT), images)
    found = overflowing(to_onnx(network, CONTRACT, half=True), ranges)
    assert len(found) == expected
    assert all(LARGEST < largest == pytest.approx(255_000) for largest in found.values())


def test_nan_does_not_pass():
    half = to_onnx(Loud(10.0).eval(), CONTRACT, half=True)
    assert overflowing(half, {"conv_0": (0.0, float("nan"))}).keys() == {"conv_0"}
