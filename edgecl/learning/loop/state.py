"""Components of a run, and its state that survives a kill."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from edgecl.encoders.weights import FoundWeights
from edgecl.learning.config import TrainConfig
from edgecl.learning.contrastive.objectives import Objective
from edgecl.learning.documents import EpochMeasures, JournalRecord, Stage
from edgecl.learning.model import Backbone, Classifier, Projector
from edgecl.learning.optimisation.averaging import WeightAverage
from edgecl.learning.run.preparation import Prepared
from runtime.files.document import parse_document, plain

PRETRAIN: Stage = "pretrain"
FINETUNE: Stage = "finetune"
DISTILL: Stage = "distill"

EpochLog = Callable[[Sequence[EpochMeasures]], None]
"""Called after every epoch with all epochs so far."""


@dataclass(frozen=True)
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
            backbone,
            Projector(backbone, config.head),
            Classifier(backbone, len(prepared.dataset.labels)),
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

    stage: Stage = PRETRAIN
    epoch: int = 0
    history: list[EpochMeasures] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {PRETRAIN: 0.0, FINETUNE: 0.0})
    best_loss: float = float("inf")
    best_epoch: int = 0
    best: dict[str, Any] | None = None

    def epochs_of(self, stage: str) -> list[EpochMeasures]:
        """The epochs of one stage."""
        return [epoch for epoch in self.history if epoch.stage == stage]

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds: plain values, and the best weights."""
        record = JournalRecord(
            stage=self.stage,
            epoch=self.epoch,
            history=tuple(self.history),
            seconds=self.seconds,
            best_loss=self.best_loss,
            best_epoch=self.best_epoch,
        )
        return {**plain(record), "best": self.best}

    @classmethod
    def of(cls, state: Mapping[str, Any], *, where: str) -> Journal:
        """Restore what `state` returned.

        Args:
            where: the checkpoint, for errors.

        Raises:
            InputError: a field is missing or of another type.
        """
        record = parse_document(
            {name: value for name, value in state.items() if name != "best"},
            JournalRecord,
            where=where,
        )
        return cls(
            stage=record.stage,
            epoch=record.epoch,
            history=list(record.history),
            seconds=record.seconds,
            best_loss=record.best_loss,
            best_epoch=record.best_epoch,
            best=state["best"],
        )


@dataclass
class RunState:
    """State of a run after a whole epoch: what its checkpoint holds beside torch's generator.

    Args:
        objective: with what pretraining remembers, such as NNCLR's support set.
        optimizer: of the stage that is under way; None before its first epoch.
        average: of the weights in fine-tuning; None before its first epoch.
    """

    journal: Journal
    networks: Networks
    objective: Objective
    optimizer: torch.optim.Optimizer | None = None
    average: WeightAverage | None = None


def adam(module: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Return the optimiser of pretraining, before its first step."""
    return torch.optim.Adam(module.parameters(), lr=rate, fused=True)
