"""Objectives of pretraining, by method: the loss and its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from edgecl.learning.config import TrainConfig
from edgecl.learning.contrastive.losses import nnclr, nt_xent, nt_xent_across_views
from edgecl.learning.contrastive.support_set import SupportSet


class Objective(Protocol):
    """Map two views of N images to a loss."""

    def __call__(self, z1: Tensor, z2: Tensor, images: Tensor) -> Tensor:
        """Return the loss.

        Args:
            z1, z2: N×D, projections of both views.
            images: int64, N, the images' numbers.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        ...


class SimCLR:
    """NT-Xent, over all 2N views or from view to view."""

    def __init__(self, temperature: float, negatives: str) -> None:
        self._temperature = temperature
        self._loss = nt_xent if negatives == "all" else nt_xent_across_views

    def __call__(self, z1: Tensor, z2: Tensor, images: Tensor) -> Tensor:
        """Return the loss; nothing is remembered."""
        return self._loss(z1, z2, self._temperature)

    def state(self) -> dict[str, Any]:
        """Return nothing: there is no state."""
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore nothing: there is no state."""


class NNCLR:
    """NNCLR: neighbours in the support set replace the views; first views enter it afterwards."""

    def __init__(self, temperature: float, support_set: SupportSet) -> None:
        self._temperature = temperature
        self._support_set = support_set

    def __call__(self, z1: Tensor, z2: Tensor, images: Tensor) -> Tensor:
        """Return the loss, and update the support set."""
        neighbours1 = self._support_set.nearest(z1, images)
        neighbours2 = self._support_set.nearest(z2, images)
        loss = nnclr(z1, z2, neighbours1, neighbours2, self._temperature)
        self._support_set.enqueue(z1, images)
        return loss

    def state(self) -> dict[str, Any]:
        """Return the support set's state."""
        return self._support_set.state()

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore the support set's state."""
        self._support_set.load(state)


def build_objective(config: TrainConfig, dimension: int, device: torch.device) -> Objective:
    """The objective that `config.method` names.

    Args:
        dimension: D of the projections.
    """
    if config.method == "nnclr":
        support_set = SupportSet(config.queue_size, dimension, device)
        return NNCLR(config.temperature, support_set)
    return SimCLR(config.temperature, config.negatives)
