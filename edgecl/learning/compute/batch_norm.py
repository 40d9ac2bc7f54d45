"""Batch norm over the whole batch where several ranks hold parts of it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgecl.learning.compute import collectives
from edgecl.learning.compute.ranks import Ranks


def span_ranks(module: nn.Module, ranks: Ranks, device: torch.device) -> None:
    """Let every batch norm inside `module` take its statistics over all ranks.

    Weights, running statistics and their names stay: a checkpoint fits any number of ranks.

    Args:
        module: on `device`, itself no batch norm.
    """
    if ranks.size == 1:
        return
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, SpanningBatchNorm2d(child, ranks))
        else:
            span_ranks(child, ranks, device)


class SpanningBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose mean and variance are those of all ranks' rows, with their gradients.

    torch's SyncBatchNorm is the same, for GPUs alone. Means and variances are joined as by Chan et
    al., "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979.

    Args:
        source: whose parameters and buffers are taken over.
        ranks: who takes part.
    """

    def __init__(self, source: nn.BatchNorm2d, ranks: Ranks) -> None:
        super().__init__(source.num_features, source.eps, source.momentum)
        self.ranks = ranks
        self.weight, self.bias = source.weight, source.bias
        self.running_mean, self.running_var = source.running_mean, source.running_var
        self.num_batches_tracked = source.num_batches_tracked
        self.train(source.training)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise N×C×H×W; in evaluation mode by the running statistics, without a message."""
        if not self.training:
            return super().forward(x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        normalised, mean, variance = _Normalise.apply(  # type: ignore[no-untyped-call]
            wide, self.weight, self.bias, self.eps, self.ranks
        )
        self._follow(mean, variance)
        result: Tensor = normalised.to(x.dtype)
        return result

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.momentum is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)


class _Normalise(torch.autograd.Function):
    """The normalised images; beside them mean and unbiased variance, for the running statistics.

    The kernels are those of torch's own batch norm; only what they sum up crosses the ranks.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, ranks: Ranks
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)
        size = torch.full_like(mean, x.numel() / x.shape[1])
        one_each = ranks.share(ranks.size)
        all_of_them = one_each.gather(torch.stack((size, mean, variance))[None])
        sizes, means, variances = all_of_them.unbind(dim=1)
        total = sizes.sum(0)
        mean = (sizes * means).sum(0) / total
        variance = (sizes * (variances + (means - mean) ** 2)).sum(0) / total
        ctx.save_for_backward(x, weight, mean, variance, total)
        ctx.eps = eps
        normalised = F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)
        unbiased = variance * (total / (total - 1))
        ctx.mark_non_differentiable(mean, unbiased)
        return normalised, mean, unbiased

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance, total = ctx.saved_tensors
        # As if mean and variance were constants: the sums for weight and bias come with it.
        of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradients[0], x, weight, mean, variance, None, None, False, ctx.eps, [True] * 3
        )
        sums = torch.stack((of_weight, of_bias))
        collectives.sum_up(sums)
        # Then what reaches x through both: scale · (Σg + x̂ Σg x̂) / n, linear in x per channel.
        deviation = torch.rsqrt(variance + ctx.eps)
        scale = weight * deviation / total
        slope = scale * deviation * sums[0]
        of_x.addcmul_(x, _per_channel(slope), value=-1)
        of_x.sub_(_per_channel(scale * sums[1] - slope * mean))
        return of_x, of_weight, of_bias, None, None


def _per_channel(x: Tensor) -> Tensor:
    return x[None, :, None, None]
