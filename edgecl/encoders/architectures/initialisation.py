"""Weights that the paper's own encoders begin with."""

from __future__ import annotations

from torch import nn


def begin_like_keras(network: nn.Module) -> None:
    """Give layers the weights that Keras gives them: Glorot's uniform ones, and no bias.

    Sources: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, Eq. 16; Keras, in which the paper's encoders are written, starts so.
    torch's default has a third of the variance for these layers. Without normalisation a signal
    then shrinks from layer to layer, and training starts slowly or not at all.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
