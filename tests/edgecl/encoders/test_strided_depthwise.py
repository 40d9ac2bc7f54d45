"""The strided depthwise convolution's own way back: the gradients are those of torch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from edgecl.encoders.architectures.shufflenet import DepthwiseConv
from edgecl.encoders.architectures.strided_depthwise import StridedDepthwise


def drawn(size: tuple[int, int], dtype: torch.dtype) -> list[torch.Tensor]:
    torch.manual_seed(0)
    x = torch.randn(2, 5, *size, dtype=dtype).contiguous(memory_format=torch.channels_last)
    tensors = [x, torch.randn(5, 1, 3, 3, dtype=dtype), torch.randn(5, dtype=dtype)]
    return [tensor.requires_grad_() for tensor in tensors]


@pytest.mark.parametrize("size", [(8, 12), (7, 9), (1, 5), (2, 1)])
def test_gradients_are_those_of_the_definition(size):
    tensors = drawn(size, torch.float64)
    assert torch.autograd.gradcheck(StridedDepthwise.apply, tensors)
    x, weight, bias = tensors
    expected = F.conv2d(x, weight, bias, stride=2, padding=1, groups=5)
    found = StridedDepthwise.apply(x, weight, bias)
    assert torch.equal(found, expected)
    head = torch.randn_like(expected)
    own = torch.autograd.grad(found, tensors, head)
    for mine, theirs in zip(own, torch.autograd.grad(expected, tensors, head), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_an_input_that_needs_no_gradient_gets_none():
    x, weight, bias = drawn((6, 6), torch.float64)
    x = x.detach()
    StridedDepthwise.apply(x, weight, bias).sum().backward()
    assert x.grad is None
    assert weight.grad is not None


def test_in_bf16_the_layer_stays_in_channels_last_and_near_float32():
    torch.manual_seed(0)
    layer = DepthwiseConv(16, 16, 3, stride=2, padding=1, groups=16)
    x = torch.randn(4, 16, 20, 30).contiguous(memory_format=torch.channels_last).requires_grad_()
    expected = layer(x)
    head = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, (x, *layer.parameters()), head)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x.bfloat16())
    assert found.dtype == torch.bfloat16
    got = torch.autograd.grad(found, (x, *layer.parameters()), head.bfloat16())
    assert got[0].is_contiguous(memory_format=torch.channels_last)
    for mine, theirs in zip(got, wanted, strict=True):
        assert (mine - theirs).norm() < 0.01 * theirs.norm()
