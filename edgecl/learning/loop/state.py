"""Components of a run, and its state that survives a kill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from edgecl.encoders.weights import FoundWeights
from edgecl.learning.config import TrainConfig
from edgecl.learning.model import Backbone, Classifier, Projector
from edgecl.learning.run.preparation import Prepared

PRETRAIN, FINETUNE = "pretrain", "finetune"

EpochLog = Callable[[Sequence[Mapping[str, Any]]], None]
"""Called after every epoch with the lines of metrics.jsonl, all of them."""


@dataclass
class Networks:
    """One backbone under two heads."""

    backbone: Backbone
    projector: Projector
    classifier: Classifier

    @classmethod
    def build(
        cls,
        config: TrainConfig,
        prepared: Prepared,
        device: torch.device,
        weights: FoundWeights | None = None,
    ) -> Networks:
        """Fresh weights, from the run's seed, under those that were found for the encoder."""
        torch.manual_seed(config.seed)
        backbone = Backbone(config.encoder, config.image_size, config.channels)
        if weights is not None:
            weights.load_into(backbone.encoder)
        networks = cls(
            backbone, Projector(backbone), Classifier(backbone, len(prepared.dataset.labels))
        )
        for network in (networks.projector, networks.classifier):
            network.to(device)
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return networks

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Return all weights, each once."""
        return {
            "backbone": self.backbone.state_dict(),
            "projection": self.projector.projection.state_dict(),
            "head": self.classifier.head.state_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        self.backbone.load_state_dict(state["backbone"])
        self.projector.projection.load_state_dict(state["projection"])
        self.classifier.head.load_state_dict(state["head"])


@dataclass
class Journal:
    """State that survives a kill, beside weights and optimiser."""

    stage: str = PRETRAIN
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {PRETRAIN: 0.0, FINETUNE: 0.0})
    best_loss: float = float("inf")
    best_epoch: int = 0
    best: dict[str, Any] | None = None

    def epochs_of(self, stage: str) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl of one stage."""
        return [line for line in self.history if line["stage"] == stage]
