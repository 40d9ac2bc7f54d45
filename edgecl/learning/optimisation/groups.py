"""Parameters in groups of their own learning rates, so that fine-tuning does not forget.

A low rate for the encoder keeps what pretraining left in it (Kumar et al., "Fine-Tuning can Distort
Pretrained Features and Underperform Out-of-Distribution", ICLR 2022), the lower the earlier the
layer (Howard and Ruder, "Universal Language Model Fine-tuning", ACL 2018).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from edgecl.learning.config import TrainConfig
from edgecl.learning.model import Classifier
from edgecl.learning.optimisation.schedule import SCALE


def classifier_optimizer(classifier: Classifier, config: TrainConfig) -> torch.optim.Optimizer:
    """Return Adam on a classifier: the head at the full rate, the encoder's parts at their own.

    Args:
        config: `freeze` leaves the encoder as it is, `layer_decay` is the factor from one part of
            the encoder to the one before it.
    """
    classifier.backbone.requires_grad_(not config.freeze)
    if config.freeze:
        return _adam([(classifier.head, 1.0)], config.lr)
    if config.layer_decay == 1:
        return torch.optim.Adam(classifier.parameters(), lr=config.lr, fused=True)
    parts = [classifier.head, *reversed(list(classifier.backbone.encoder.children()))]
    decays = [(part, config.layer_decay**depth) for depth, part in enumerate(parts)]
    return _adam(decays, config.lr)


def _adam(parts: list[tuple[nn.Module, float]], rate: float) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [
        {"params": parameters, "lr": rate * scale, SCALE: scale}
        for part, scale in parts
        if (parameters := list(part.parameters()))
    ]
    return torch.optim.Adam(groups, lr=rate, fused=True)
