"""Fine-tuned networks asked about labelled images of groups that they did not see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgecl.data.pixels.selection import ImageRows
from edgecl.learning.compute.residency import bring_closer
from edgecl.learning.loop.answers import predict
from edgecl.learning.loop.epochs import finetune_epoch
from edgecl.learning.loop.monitoring import repeated
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.stages.finetuning import FEWEST_STEPS, start_from_probe
from edgecl.learning.loop.state import Networks
from edgecl.learning.model import Classifier
from edgecl.learning.optimisation.averaging import WeightAverage
from edgecl.learning.optimisation.balance import balanced_rows
from edgecl.learning.optimisation.groups import classifier_optimizer
from edgecl.learning.optimisation.schedule import cosine_rate, set_rate


def network_accuracy(
    setup: TrainingSetup,
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    *,
    stage: str,
    what: str,
) -> float:
    """Return the share of right answers out of fold, 0 to 1, of networks trained like this run's.

    Args:
        folds: rows of the labelled train images, (fitted on, asked).
        stage, what: for the progress.

    Raises:
        DivergedError: a value is not finite.
    """
    images, targets = setup.monitor.images, setup.monitor.targets
    right = 0
    for number, (known, asked) in enumerate(folds):
        setup.report(stage, number, len(folds), f"{what}, out of fold")
        classifier = _trained(setup, images[known], targets[known], number)
        logits = predict(classifier, images[asked], setup.compute.device, setup.monitor.passing)
        right += int((logits.argmax(1) == targets[asked]).sum())
    return right / sum(len(asked) for _, asked in folds)


def _trained(
    setup: TrainingSetup, images: ImageRows, targets: NDArray[np.int64], number: int
) -> Classifier:
    """Train a classifier from where fine-tuning begins, on some of the labelled images."""
    config, compute = setup.config, setup.compute
    networks = Networks.build(config, setup.prepared, compute.device)
    frozen = setup.frozen_backbone()
    if frozen is not None:
        networks.backbone.load_state_dict(frozen.state_dict())
    classifier = networks.classifier
    start_from_probe(classifier, images, targets, compute.device)
    shown, labels = repeated(images, targets, FEWEST_STEPS * config.batch_size)
    resident = bring_closer(shown, compute.device)
    optimizer = classifier_optimizer(classifier.train(), config)
    average = WeightAverage(classifier)
    balanced = setup.balance.balanced
    for epoch in range(config.epochs):
        rng = np.random.default_rng([config.seed, 4, number, epoch])
        set_rate(optimizer, cosine_rate(config.lr, epoch, config.epochs))
        finetune_epoch(
            classifier,
            optimizer,
            resident,
            labels,
            recipe=setup.augmentation.classification,
            batch_size=config.batch_size,
            rng=rng,
            compute=compute,
            on_step=average.update,
            shown=balanced_rows(labels, len(labels), rng) if balanced else None,
        )
    return average.model
