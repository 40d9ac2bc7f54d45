"""A strided depthwise convolution with another way back to its input.

oneDNN (3.12) takes twenty times as long for that gradient in bf16 as for the convolution itself;
float32 is quicker, but for the casts. The gradient is a convolution too, with the mirrored kernel,
of the output's gradient with zeros between its pixels: four times the arithmetic, by a kernel that
is fast.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

STRIDE, PADDING = 2, 1


class StridedDepthwise(torch.autograd.Function):
    """`F.conv2d` with a 3×3 kernel per channel, stride 2 and padding 1; differentiable once."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Convolve N×C×H×W with C×1×3×3, to N×C×⌈H/2⌉×⌈W/2⌉."""
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, STRIDE, PADDING, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        """The gradients of input, weight and bias."""
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        _, of_weight, of_bias = torch.ops.aten.convolution_backward(
            gradient,
            x,
            weight,
            [len(weight)],
            [STRIDE, STRIDE],
            [PADDING, PADDING],
            [1, 1],
            False,
            [0, 0],
            len(weight),
            (False, True, True),
        )
        if not ctx.needs_input_grad[0]:
            return None, of_weight, of_bias
        spread = torch.zeros_like(x)  # keeps channels-last
        spread[:, :, ::STRIDE, ::STRIDE] = gradient
        of_input = F.conv2d(spread, weight.flip(2, 3), None, 1, PADDING, groups=len(weight))
        return of_input, of_weight, of_bias
