"""Set-up of a run: all that does not change while it trains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgecl.learning.compute.placement import Compute
from edgecl.learning.config import TrainConfig
from edgecl.learning.contrastive.augmentation import Augmentation
from edgecl.learning.findings import BalanceFacts
from edgecl.learning.loop.monitoring import Monitor
from edgecl.learning.loop.state import EpochLog
from edgecl.learning.model import Backbone
from edgecl.learning.optimisation.balance import balance_of
from edgecl.learning.run.preparation import Prepared
from edgecl.learning.run.pretrained import read_pretrained
from runtime.progress import StageProgress


@dataclass(frozen=True)
class TrainingSetup:
    """Choices, data and surroundings of a run.

    Args:
        run: the run directory.
        compute: where and with whom it computes. The scale of its gradients moves with the
            steps, and a checkpoint holds it.
        monitor: measures on the train and the validation part.
        report: called with (stage, done, total, text).
        log: takes the epochs beside metrics.jsonl.
    """

    config: TrainConfig
    prepared: Prepared
    run: Path
    compute: Compute
    monitor: Monitor
    augmentation: Augmentation
    report: StageProgress
    log: EpochLog | None = None

    @property
    def balance(self) -> BalanceFacts:
        """Sizes of the classes, and whether fine-tuning shows them equally often."""
        labels = self.prepared.dataset.labels
        return balance_of(self.config.balance, self.monitor.targets, labels)

    def frozen_backbone(self) -> Backbone | None:
        """Return the encoder as pretraining left it; None where there was none."""
        config = self.config
        if config.method == "none":
            return None
        pretrained = self.prepared.pretrained or read_pretrained(self.run, config)
        backbone = Backbone(config.encoder, config.image_size, config.channels)
        backbone.load_state_dict(pretrained.weights)
        return backbone.to(self.compute.device).eval()
