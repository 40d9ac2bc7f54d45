"""Pretraining: contrastive learning without labels, or the taking over of another run's."""

from __future__ import annotations

import time

from edgecl.learning.compute.residency import bring_closer
from edgecl.learning.documents import PretrainingFacts
from edgecl.learning.loop.checkpoint import record_epoch
from edgecl.learning.loop.epochs import pretrain_epoch
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.stages.stage import epoch_rng, explained, stage_ticker
from edgecl.learning.loop.state import PRETRAIN, Journal, RunState, adam
from edgecl.learning.optimisation.schedule import cosine_rate, set_rate, warm_up
from edgecl.learning.run.pretrained import pretraining_facts, save_pretrained

PROBE_EVERY = 5
_NOT_DUE = {"probe_accuracy": None, "knn_accuracy": None}


def pretrain(setup: TrainingSetup, state: RunState) -> None:
    """Pretrain the backbone, or take over another run's, and write pretrained.safetensors.

    Raises:
        InputError: a value is not finite.
    """
    config, journal, networks = setup.config, state.journal, state.networks
    if setup.prepared.pretrained is not None:
        networks.backbone.load_state_dict(setup.prepared.pretrained.weights)
        return
    images = setup.prepared.pretraining_images()
    projector = networks.projector.train()
    resident = bring_closer(images, setup.compute.device)
    optimizer = state.optimizer = state.optimizer or adam(projector, config.pretrain_lr)
    steps = len(images) // config.pretraining_batch
    whole = config.pretrain_epochs * steps
    while journal.epoch < config.pretrain_epochs:
        start = time.perf_counter()
        rate = cosine_rate(config.pretrain_lr, journal.epoch, config.pretrain_epochs)
        set_rate(optimizer, rate)
        warm = warm_up(optimizer, rate, step=journal.epoch * steps, steps=whole)
        with explained(setup, journal, steps):
            result = pretrain_epoch(
                projector,
                optimizer,
                resident,
                objective=state.objective,
                recipe=setup.augmentation.contrastive,
                batch_size=config.pretraining_batch,
                rng=epoch_rng(config.seed, PRETRAIN, journal.epoch, setup.compute.ranks),
                compute=setup.compute,
                on_step=stage_ticker(setup, journal, "pretraining", steps, whole, warm),
            )
            epoch = journal.epoch + 1
            due = epoch == config.pretrain_epochs or epoch % PROBE_EVERY == 0
            accuracies = setup.monitor.frozen_accuracies(networks.backbone) if due else _NOT_DUE
        journal.epoch = epoch
        metrics = {"loss": result.loss, "contrastive_accuracy": result.accuracy, **accuracies}
        record_epoch(setup, state, PRETRAIN, start, {**metrics, "lr": rate})
    facts = facts_of_pretraining(setup, journal)
    setup.compute.ranks.by_first(
        lambda: save_pretrained(setup.run, networks.backbone, images, facts)
    )


def facts_of_pretraining(setup: TrainingSetup, journal: Journal) -> PretrainingFacts:
    """Return what pretrained.safetensors says of itself."""
    images = setup.prepared.counts["pretraining"]
    return pretraining_facts(setup.config, journal.epochs_of(PRETRAIN), images=images)
