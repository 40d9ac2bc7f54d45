"""Batch norm in training, with its ReLU: eight passes over memory in place of fourteen."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from edgecl.encoders.fused.pixels import is_large_map, over_pixels, pixels_of, sum_over_pixels

# What a normalised number is raised to where it is lower.
RELU, NO_RELU = np.float32(0), np.float32(-np.inf)


def is_quicker(norm: nn.BatchNorm2d, x: Tensor) -> bool:
    """Whether `batch_norm` does what the module does, and that faster."""
    return (
        type(norm) is nn.BatchNorm2d  # subclasses have a forward of their own
        and norm.training
        and norm.affine
        and norm.weight.dtype == torch.float32
        and norm.track_running_stats
        and norm.momentum is not None
        and is_large_map(x)
    )


def batch_norm(norm: nn.BatchNorm2d, x: Tensor, *, relu: bool) -> Tensor:
    """`norm(x)`, then ReLU if asked for; running statistics follow.

    Args:
        norm: of which, with x, `is_quicker` holds.
        x: N×C×H×W.

    Returns:
        Like x; differentiable once.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    result, mean, variance = _BatchNorm.apply(  # type: ignore[no-untyped-call]
        x, norm.weight, norm.bias, norm.eps, RELU if relu else NO_RELU
    )
    count = x.numel() // x.shape[1]
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
    normalised: Tensor = result
    return normalised


class _BatchNorm(torch.autograd.Function):
    """The result; beside it mean and biased variance per channel, for the running statistics."""

    # NaN is for the training loop to speak of, once.
    @staticmethod
    @np.errstate(all="ignore")
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, floor: np.float32
    ) -> tuple[Tensor, Tensor, Tensor]:
        from edgecl.encoders.fused import norm_kernels as kernels

        pixels = pixels_of(x)
        # Any pixel is nearer to the mean than zero may be.
        offset = x[0, :, 0, 0].float().numpy()
        first, second = sum_over_pixels(kernels.sums, [pixels], [offset]) / len(pixels)
        mean, variance = offset + first, np.maximum(second - first**2, 0)
        inverse = 1 / np.sqrt(variance + eps)
        scale = weight.numpy() * inverse
        shift = bias.numpy() - mean * scale
        result = torch.empty_like(x)
        normalise = functools.partial(kernels.normalise, floor)
        over_pixels(normalise, [pixels, pixels_of(result)], [scale, shift])
        ctx.save_for_backward(x)
        ctx.numbers = floor, scale, shift, mean, inverse
        statistics = _tensor(mean), _tensor(variance)
        ctx.mark_non_differentiable(*statistics)
        return result, *statistics

    @staticmethod
    @once_differentiable
    @np.errstate(all="ignore")
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from edgecl.encoders.fused import norm_kernels as kernels

        (x,) = ctx.saved_tensors
        floor, scale, shift, mean, inverse = ctx.numbers
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        maps = [pixels_of(x), pixels_of(gradient)]
        count, offset = len(maps[0]), mean.astype(np.float32)
        total, product = sum_over_pixels(
            functools.partial(kernels.gradient_sums, floor), maps, [scale, shift, offset]
        )
        of_weight = (product - total * (mean - offset)) * inverse
        # scale · (g − mean of g − x̂ · mean of g·x̂) with x̂ = (x − mean) · inverse
        slope = -scale * inverse * of_weight / count
        constant = -scale * total / count - slope * mean
        of_x = torch.empty_like(x)
        over_pixels(
            functools.partial(kernels.input_gradient, floor),
            [*maps, pixels_of(of_x)],
            [scale, shift, slope, constant],
        )
        return of_x, _tensor(of_weight), _tensor(total), None, None


def _tensor(numbers: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(numbers.astype(np.float32))
