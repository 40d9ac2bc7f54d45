"""Choice of the number format that trains faster, measured on the run's images and first stage."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgecl.data.pixels.selection import select
from edgecl.data.pixels.store import Selection
from edgecl.learning.compute.placement import choose_autocast
from edgecl.learning.config import FROZEN_ENCODERS, TrainConfig
from edgecl.learning.contrastive.augmentation import augment, chosen_augmentation, two_views
from edgecl.learning.contrastive.objectives import build_objective
from edgecl.learning.loop.state import Networks
from edgecl.learning.run.preparation import Prepared


def decide_autocast(
    config: TrainConfig, prepared: Prepared, device: torch.device
) -> tuple[str, dict[str, float]]:
    """Measure which number format trains faster, on the run's own images and first stage.

    Returns:
        `off` or `bf16`, and the seconds per step of each; no measurement where it is chosen.
    """
    if config.encoder in FROZEN_ENCODERS:
        return "off", {}  # nothing is trained in either
    if config.autocast != "auto":
        return config.autocast, {}
    networks = Networks.build(config, prepared, device)
    rng = np.random.default_rng(config.seed)
    augmentation = chosen_augmentation(config)
    if config.method == "none" or config.pretrained:
        rows = np.resize(prepared.split.train, config.batch_size)
        labelled = prepared.dataset.images[rows]
        view = augment(labelled, augmentation.classification, rng, device)
        target = torch.from_numpy(prepared.dataset.targets[rows]).to(device)

        def supervised(model: nn.Module) -> Tensor:
            return F.cross_entropy(model(view)[0].float(), target)

        return choose_autocast(networks.classifier, supervised, device)
    rows = prepared.pretraining[: config.pretraining_batch]
    more = prepared.extra[: config.pretraining_batch - len(rows)]
    images = select((prepared.dataset.images, rows), (more, np.arange(len(more))))
    assert not isinstance(images, Selection)
    objective = build_objective(config, networks.backbone.embedding_size, device)
    numbers = torch.arange(len(images), device=device)
    views = torch.cat(two_views(images, augmentation.contrastive, rng, device))

    def contrastive(model: nn.Module) -> Tensor:
        z1, z2 = model(views).chunk(2)
        return objective(z1, z2, numbers)

    return choose_autocast(networks.projector, contrastive, device)
