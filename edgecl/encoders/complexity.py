"""Parameters and multiply-accumulates, counted rather than copied."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from edgecl.encoders.architectures.vit_small import LocalAttention


def count_parameters(module: nn.Module) -> int:
    """Weights and the running statistics of batch norm: all figures that the model must store.

    This is how the paper counts (Keras counts so); torch's own custom leaves the running
    statistics out.
    """
    weights = sum(parameter.numel() for parameter in module.parameters())
    return weights + sum(buffer.numel() for buffer in module.buffers() if buffer.ndim > 0)


def count_macs(encoder: nn.Module, *, channels: int, image_size: tuple[int, int]) -> int:
    """Multiply-accumulates of one image: convolutions, dense and recurrent layers, attention.

    Normalisation, activations and pooling are left out, as is the custom of the field.

    Args:
        encoder: takes N×`channels`×H×W.
        image_size: (height, width) in pixels.
    """
    total = 0

    def add(layer: nn.Module, _: tuple[Tensor, ...], output: Any) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            kernel = layer.kernel_size[0] * layer.kernel_size[1]
            total += output.numel() * kernel * layer.in_channels // layer.groups
        elif isinstance(layer, nn.Linear):
            total += output.numel() * layer.in_features
        elif isinstance(layer, nn.LSTM):  # of one layer: four gates, each on input and state
            total += 4 * output[0].numel() * (layer.input_size + layer.hidden_size)
        elif isinstance(layer, LocalAttention):
            total += layer.product_macs(tokens=output.shape[1])

    hooks = [
        layer.register_forward_hook(add)
        for layer in encoder.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.LSTM | LocalAttention)
    ]
    was_training = encoder.training
    parameter = next(encoder.parameters())
    try:
        with torch.no_grad():
            encoder.eval()(torch.zeros(1, channels, *image_size, device=parameter.device))
    finally:
        encoder.train(was_training)
        for hook in hooks:
            hook.remove()
    return total
