"""Fine-tuning: the whole network on labelled images, or what replaces it where it stays frozen."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgecl.data.pixels.selection import ImageRows
from edgecl.learning.compute.residency import bring_closer
from edgecl.learning.documents import Stage
from edgecl.learning.evaluation.probe import fit_linear_probe
from edgecl.learning.loop.answers import embed
from edgecl.learning.loop.checkpoint import record_epoch, save
from edgecl.learning.loop.epochs import finetune_epoch
from edgecl.learning.loop.setup import TrainingSetup
from edgecl.learning.loop.stages.stage import epoch_rng, explained, stage_ticker
from edgecl.learning.loop.state import FINETUNE, RunState
from edgecl.learning.model import Classifier
from edgecl.learning.optimisation.averaging import WeightAverage
from edgecl.learning.optimisation.balance import balanced_rows
from edgecl.learning.optimisation.groups import classifier_optimizer
from edgecl.learning.optimisation.schedule import cosine_rate, set_rate

FEWEST_STEPS = 10
# Embeddings of a hardly trained encoder differ by next to nothing. A probe that tells them apart
# all the same has weights that fine-tuning does not recover from: a fresh head is the better start.
LARGEST_START = 100.0


def begin_finetuning(setup: TrainingSetup, state: RunState) -> None:
    """Let fine-tuning begin with a linear probe as its head.

    Raises:
        InputError: an embedding is not finite.
    """
    journal = state.journal
    journal.stage, journal.epoch, state.optimizer = FINETUNE, 0, None
    monitor = setup.monitor
    with explained(setup, journal, 0):
        start_from_probe(
            state.networks.classifier, monitor.images, monitor.targets, setup.compute.device
        )
    save(setup, state)


def start_from_probe(
    classifier: Classifier, images: ImageRows, targets: NDArray[np.int64], device: torch.device
) -> None:
    """Let a classifier begin with a linear probe as its head, where the probe is sound.

    Raises:
        DivergedError: an embedding is not finite.
    """
    classes = classifier.head.out_features
    probe = fit_linear_probe(embed(classifier.backbone, images, device), targets, classes)
    if np.abs(probe.weight).max() <= LARGEST_START:
        classifier.set_head(probe.weight, probe.bias)


def finetune(setup: TrainingSetup, state: RunState) -> None:
    """Train the whole network on labelled images until it no longer gets better.

    Raises:
        InputError: a value is not finite.
    """
    state.journal.stage = FINETUNE
    images, targets = setup.monitor.shown(FEWEST_STEPS * setup.config.batch_size)
    epochs, balanced = setup.config.epochs, setup.balance.balanced
    fit_classifier(setup, state, FINETUNE, "fine-tuning", images, targets, epochs, balanced)


def fit_classifier(
    setup: TrainingSetup,
    state: RunState,
    stage: Stage,
    name: str,
    images: ImageRows,
    targets: NDArray[Any],
    epochs: int,
    balanced: bool = False,
) -> None:
    """Train the classifier on from the state's last whole epoch, and keep the best average.

    Args:
        name: of the stage, for the progress.
        images: N of them.
        targets: class numbers, int64 N, or probabilities, float32 N×C.
        epochs: of the stage, at most.
        balanced: show all classes equally often; `targets` are numbers then.

    Raises:
        InputError: a value is not finite.
    """
    config, journal = setup.config, state.journal
    classifier = state.networks.classifier.train()
    optimizer = state.optimizer = state.optimizer or classifier_optimizer(classifier, config)
    average = state.average = state.average or WeightAverage(classifier)
    resident = bring_closer(images, setup.compute.device)
    steps = len(images) // config.batch_size
    while journal.epoch < epochs:
        if journal.best_epoch and journal.epoch - journal.best_epoch >= config.patience:
            break  # never where the last epoch counts as the best
        start = time.perf_counter()
        rate = cosine_rate(config.lr, journal.epoch, epochs)
        set_rate(optimizer, rate)
        tick = stage_ticker(setup, journal, name, steps, epochs * steps, average.update)
        rng = epoch_rng(config.seed, stage, journal.epoch, setup.compute.ranks)
        with explained(setup, journal, steps):
            result = finetune_epoch(
                classifier,
                optimizer,
                resident,
                targets,
                recipe=setup.augmentation.classification,
                batch_size=config.batch_size,
                rng=rng,
                compute=setup.compute,
                on_step=tick,
                shown=balanced_rows(targets, len(targets), rng) if balanced else None,
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
        record_epoch(setup, state, stage, start, metrics)


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
    with explained(setup, journal, 0):
        machine, train_accuracy = monitor.fit_svm(networks.backbone)
        networks.classifier.set_head(machine.weight, machine.bias)
        loss, accuracy = monitor.validate(networks.classifier)
    journal.epoch, journal.best_epoch, journal.best_loss = 1, 1, loss
    metrics = {"train_accuracy": train_accuracy, "val_loss": loss, "val_accuracy": accuracy}
    record_epoch(setup, state, FINETUNE, start, metrics)
    setup.report("fitting", 1, 1, f"validation accuracy {accuracy:.3f}")
