"""Variant of `Sequential` that fuses neighbours which are quicker as one."""

from __future__ import annotations

from torch import Tensor, nn

from edgecl.encoders.fused.batch_norm import batch_norm, is_quicker
from edgecl.encoders.fused.pixels import is_large_map


class FusedSequential(nn.Sequential):
    """Variant of `Sequential` that fuses batch norm with its ReLU, and ReLU after max pooling.

    It does so in training, on a CPU, for large channels-last maps. Elsewhere, and for all that
    walks over its modules or saves their state, it is the `Sequential` that it looks like.
    """

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W through all modules."""
        modules = list(self)
        at = 0
        while at < len(modules):
            module, following = modules[at], modules[at + 1] if at + 1 < len(modules) else None
            if isinstance(module, nn.BatchNorm2d) and is_quicker(module, x):
                relu = isinstance(following, nn.ReLU)
                x = batch_norm(module, x, relu=relu)
                at += 1 + relu
            elif (
                isinstance(module, nn.ReLU)
                and isinstance(following, nn.MaxPool2d)
                and self.training
                and is_large_map(x)
            ):
                x = module(following(x))  # the same either way round, and a pooled map is smaller
                at += 2
            else:
                x = module(x)
                at += 1
        return x
