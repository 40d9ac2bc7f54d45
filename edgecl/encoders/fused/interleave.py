"""Interleaving of two maps' channels, in one pass in place of two."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from edgecl.encoders.fused.pixels import is_large_map, over_rows, pixels_of


def interleave(left: Tensor, right: Tensor) -> Tensor | None:
    """Channels of `left` and `right` in turns: left 0, right 0, left 1, and so on.

    Args:
        left: N×C×H×W, of the shape and type of `right`; the first channels of a map of more, too.
        right: N×C×H×W.

    Returns:
        N×2C×H×W, channels-last, differentiable once; None where torch's own way is as quick.
    """
    if not is_large_map(right) or left.dtype != right.dtype or _whole(left) is None:
        return None
    result: Tensor = _Interleave.apply(left, right)  # type: ignore[no-untyped-call]
    return result


def _whole(first: Tensor) -> Tensor | None:
    """The channels-last map of which `first` is the first channels, perhaps all of them."""
    n, _, h, w = first.shape
    channels = first.stride(3)
    numbers = first.untyped_storage().nbytes() // first.element_size()
    if first.stride() != (h * w * channels, 1, w * channels, channels):
        return None
    if first.storage_offset() + n * channels * h * w > numbers:
        return None
    return first.as_strided((n, channels, h, w), first.stride())


class _Interleave(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor) -> Tensor:
        from edgecl.encoders.fused import interleave_kernels as kernels

        whole = _whole(left)
        assert whole is not None
        n, c, h, w = right.shape
        result = right.new_empty((n, h, w, 2 * c)).permute(0, 3, 1, 2)
        over_rows(kernels.interleave, [pixels_of(whole), pixels_of(right), pixels_of(result)])
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        from edgecl.encoders.fused import interleave_kernels as kernels

        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        n, c, h, w = gradient.shape
        of_left, of_right = (
            gradient.new_empty((n, h, w, c // 2)).permute(0, 3, 1, 2) for _ in range(2)
        )
        maps = [pixels_of(gradient), pixels_of(of_left), pixels_of(of_right)]
        over_rows(kernels.separate, maps)
        return of_left, of_right
