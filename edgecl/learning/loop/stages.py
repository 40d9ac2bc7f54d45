"""Stages of a run: pretraining, the change to fine-tuning, and fine-tuning or what replaces it.

Each carries on from the last whole epoch in the state, moves it on, and saves after every epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from edgecl.learning.compute.ranks import Ranks
from edgecl.learning.compute.residency import bring_closer
from edgecl.learning.documents import PretrainingFacts, Stage
from edgecl.learning.loop.averaging import WeightAverage
from edgecl.learning.loop.checkpoint import record_epoch, save
from edgecl.learning.loop.conclusion import diverged
from edgecl.learning.loop.epochs import DivergedError, finetune_epoch, pretrain_epoch
from edgecl.learning.loop.monitoring import ticker
from edgecl.learning.loop.schedule import cosine_rate, set_rate, warm_up
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.state import FINETUNE, PRETRAIN, Journal, RunState, adam
from edgecl.learning.run.pretrained import pretraining_facts, save_pretrained

_STAGE_NUMBER = {PRETRAIN: 1, FINETUNE: 2}
PROBE_EVERY = 5
FEWEST_STEPS = 10
# Embeddings of a hardly trained encoder differ by next to nothing. A probe that tells them apart
# all the same has weights that fine-tuning does not recover from: a fresh head is the better start.
LARGEST_START = 100.0
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
    steps = len(images) // config.batch_size
    whole = config.pretrain_epochs * steps
    while journal.epoch < config.pretrain_epochs:
        start = time.perf_counter()
        rate = cosine_rate(config.pretrain_lr, journal.epoch, config.pretrain_epochs)
        set_rate(optimizer, rate)
        warm = warm_up(optimizer, rate, step=journal.epoch * steps, steps=whole)
        with _explained(setup, journal, steps):
            result = pretrain_epoch(
                projector,
                optimizer,
                resident,
                objective=state.objective,
                recipe=setup.augmentation.contrastive,
                batch_size=config.batch_size,
                rng=_epoch_rng(config.seed, PRETRAIN, journal.epoch, setup.compute.ranks),
                compute=setup.compute,
                on_step=_ticker(setup, journal, "pretraining", steps, whole, warm),
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


def begin_finetuning(setup: TrainingSetup, state: RunState) -> None:
    """Let fine-tuning begin with a linear probe as its head.

    Raises:
        InputError: an embedding is not finite.
    """
    journal = state.journal
    journal.stage, journal.epoch, state.optimizer = FINETUNE, 0, None
    with _explained(setup, journal, 0):
        probe = setup.monitor.fit_probe(state.networks.backbone)
    if np.abs(probe.weight).max() <= LARGEST_START:
        state.networks.classifier.set_head(probe.weight, probe.bias)
    save(setup, state)


def finetune(setup: TrainingSetup, state: RunState) -> None:
    """Train the whole network on labelled images until it no longer gets better.

    Raises:
        InputError: a value is not finite.
    """
    config, journal = setup.config, state.journal
    journal.stage = FINETUNE
    classifier = state.networks.classifier.train()
    optimizer = state.optimizer = state.optimizer or adam(classifier, config.lr)
    average = state.average = state.average or WeightAverage(classifier)
    images, targets = setup.monitor.shown(FEWEST_STEPS * config.batch_size)
    resident = bring_closer(images, setup.compute.device)
    steps = len(images) // config.batch_size
    while journal.epoch < config.epochs:
        if journal.best_epoch and journal.epoch - journal.best_epoch >= config.patience:
            break  # never where the last epoch counts as the best
        start = time.perf_counter()
        rate = cosine_rate(config.lr, journal.epoch, config.epochs)
        set_rate(optimizer, rate)
        tick = _ticker(setup, journal, "fine-tuning", steps, config.epochs * steps, average.update)
        with _explained(setup, journal, steps):
            result = finetune_epoch(
                classifier,
                optimizer,
                resident,
                targets,
                recipe=setup.augmentation.classification,
                batch_size=config.batch_size,
                rng=_epoch_rng(config.seed, FINETUNE, journal.epoch, setup.compute.ranks),
                compute=setup.compute,
                on_step=tick,
            )
            loss, accuracy = setup.monitor.validate(average.model)
        journal.epoch += 1
        if loss < journal.best_loss or not setup.prepared.can_choose:
            journal.best_loss, journal.best_epoch = loss, journal.epoch
            journal.best = average.copy()
        metrics = {
            "train_loss": result.loss,
            "train_accuracy": result.accuracy,
            "val_loss": loss,
            "val_accuracy": accuracy,
            "lr": rate,
        }
        record_epoch(setup, state, FINETUNE, start, metrics)


def fit_frozen(setup: TrainingSetup, state: RunState) -> None:
    """Fit a support vector machine in place of fine-tuning; it counts as the only epoch.

    Raises:
        InputError: an embedding is not finite.
    """
    journal, networks, monitor = state.journal, state.networks, setup.monitor
    journal.stage = FINETUNE
    if journal.epoch:
        return
    start = time.perf_counter()
    setup.report("fitting", 0, 1, "a support vector machine on the frozen encoder")
    with _explained(setup, journal, 0):
        machine, train_accuracy = monitor.fit_svm(networks.backbone)
        networks.classifier.set_head(machine.weight, machine.bias)
        loss, accuracy = monitor.validate(networks.classifier)
    journal.epoch, journal.best_epoch, journal.best_loss = 1, 1, loss
    metrics = {"train_accuracy": train_accuracy, "val_loss": loss, "val_accuracy": accuracy}
    record_epoch(setup, state, FINETUNE, start, metrics)
    setup.report("fitting", 1, 1, f"validation accuracy {accuracy:.3f}")


def _epoch_rng(seed: int, stage: Stage, epoch: int, ranks: Ranks) -> np.random.Generator:
    """Return the epoch's generator, seeded from its number: a resumed run draws the same."""
    numbers = [seed, _STAGE_NUMBER[stage], epoch]
    ranks.reseed(numbers)
    return np.random.default_rng(numbers)


def _ticker(
    setup: TrainingSetup,
    journal: Journal,
    name: str,
    steps: int,
    total: int,
    also: Callable[[], None],
) -> Callable[[], None]:
    done = journal.epoch * steps
    return ticker(setup.report, name, journal.history, done=done, total=total, also=also)


@contextmanager
def _explained(setup: TrainingSetup, journal: Journal, steps: int) -> Iterator[None]:
    """Raise an InputError for values that are not finite.

    Args:
        steps: what the epoch has; 0 where none has begun.
    """
    try:
        yield
    except DivergedError as error:
        raise diverged(setup.config, setup.run, journal, error, steps) from error
