"""A run from its first epoch to its result, resumable after any of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import nn

from edgecl.encoders.weights import FoundWeights
from edgecl.learning.compute.batch_norm import span_ranks
from edgecl.learning.compute.placement import Compute
from edgecl.learning.compute.residency import bring_closer
from edgecl.learning.config import FROZEN_ENCODERS, TrainConfig
from edgecl.learning.contrastive.augmentation import augmentation_of
from edgecl.learning.contrastive.objectives import build_objective
from edgecl.learning.documents import EpochMeasures, PretrainingFacts, RunResult, Stage
from edgecl.learning.loop.averaging import WeightAverage
from edgecl.learning.loop.compilation import run_eagerly
from edgecl.learning.loop.conclusion import conclude, diverged
from edgecl.learning.loop.epochs import DivergedError, finetune_epoch, pretrain_epoch
from edgecl.learning.loop.monitoring import Monitor, ticker
from edgecl.learning.loop.schedule import cosine_rate, set_rate, warm_up
from edgecl.learning.loop.state import FINETUNE, PRETRAIN, EpochLog, Journal, Networks
from edgecl.learning.run import run_directory
from edgecl.learning.run.preparation import Prepared
from edgecl.learning.run.pretrained import pretraining_facts, save_pretrained
from runtime.files.document import plain
from runtime.progress import StageProgress

_STAGE_NUMBER = {PRETRAIN: 1, FINETUNE: 2}
PROBE_EVERY = 5
FEWEST_STEPS = 10
# Embeddings of a hardly trained encoder differ by next to nothing. A probe that tells them apart
# all the same has weights that fine-tuning does not recover from: a fresh head is the better start.
LARGEST_START = 100.0
_NOT_DUE = {"probe_accuracy": None, "knn_accuracy": None}


class Training:
    """One run. `finish` carries on from the last whole epoch to the result."""

    def __init__(
        self,
        config: TrainConfig,
        prepared: Prepared,
        run: Path,
        *,
        compute: Compute,
        report: StageProgress,
        weights: FoundWeights | None = None,
        log: EpochLog | None = None,
    ) -> None:
        self.config = config
        self.prepared = prepared
        self.run = run
        self.compute, self.ranks = compute, compute.ranks
        self.report = report
        self.log = log
        self.networks = Networks.build(config, prepared, compute.device, weights)
        span_ranks(self.networks.backbone, compute.ranks, compute.device)
        size = self.networks.backbone.embedding_size
        self.objective = build_objective(config, size, compute.device)
        self.augmentation = augmentation_of(config.method, config.views)
        self.journal = Journal()
        self.optimizer: torch.optim.Optimizer | None = None
        self.monitor = Monitor(prepared, compute)
        self.average: WeightAverage | None = None
        self._optimizer_state: Any = None
        self._average_state: Any = None
        self._steps = 0
        self._resume()

    def finish(self) -> RunResult | PretrainingFacts:
        """Train to the end, touch the test part once, and write weights, predictions and result.

        Returns:
            What result.json holds; of a run that only pretrains, the facts of its pretraining.

        Raises:
            InputError: a value became infinite or no number; the checkpoint is that of the last
                whole epoch.
        """
        try:
            if self.config.method != "none" and self.journal.stage == PRETRAIN:
                self._pretrain()
                self._begin_finetuning()
            if self.config.pretrain_only:
                return self._pretraining_facts()
            if self.config.encoder in FROZEN_ENCODERS:
                self._fit_frozen()
            else:
                self._finetune()
        except DivergedError as error:
            raise diverged(self.config, self.run, self.journal, error, self._steps) from error
        classifier = self.networks.classifier
        run_eagerly(classifier)
        if self.journal.best is not None:
            classifier.load_state_dict(self.journal.best)
        self.report("testing", 0, 1, "the test part, once")
        device = self.compute.device
        told = self.ranks.by_first(
            lambda: plain(
                conclude(self.config, self.prepared, self.run, classifier, self.journal, device)
            )
        )
        self.report("testing", 1, 1, "done")
        return msgspec.convert(told, RunResult)

    def _pretrain(self) -> None:
        config, journal = self.config, self.journal
        if self.prepared.pretrained is not None:
            self.networks.backbone.load_state_dict(self.prepared.pretrained.weights)
            return
        images = self.prepared.pretraining_images()
        projector = self.networks.projector.train()
        resident = bring_closer(images, self.compute.device)
        self.optimizer = self._adam(projector, config.pretrain_lr)
        steps = len(images) // config.batch_size
        whole = config.pretrain_epochs * steps
        while journal.epoch < config.pretrain_epochs:
            start = time.perf_counter()
            rate = self._anneal(config.pretrain_lr, config.pretrain_epochs)
            warm = warm_up(self.optimizer, rate, step=journal.epoch * steps, steps=whole)
            tick = self._ticker("pretraining", steps, config.pretrain_epochs, warm)
            result = pretrain_epoch(
                projector,
                self.optimizer,
                resident,
                objective=self.objective,
                recipe=self.augmentation.contrastive,
                batch_size=config.batch_size,
                rng=self._rng(PRETRAIN),
                compute=self.compute,
                on_step=tick,
            )
            epoch = journal.epoch + 1
            due = epoch == config.pretrain_epochs or epoch % PROBE_EVERY == 0
            accuracies = self.monitor.frozen_accuracies(self.networks.backbone) if due else _NOT_DUE
            journal.epoch = epoch
            metrics = {"loss": result.loss, "contrastive_accuracy": result.accuracy, **accuracies}
            self._record(PRETRAIN, start, {**metrics, "lr": rate})
        facts = self._pretraining_facts()
        self.ranks.by_first(
            lambda: save_pretrained(self.run, self.networks.backbone, images, facts)
        )

    def _begin_finetuning(self) -> None:
        self.journal.stage, self.journal.epoch, self.optimizer = FINETUNE, 0, None
        self._steps = 0
        probe = self.monitor.fit_probe(self.networks.backbone)
        if np.abs(probe.weight).max() <= LARGEST_START:
            self.networks.classifier.set_head(probe.weight, probe.bias)
        self._save()

    def _pretraining_facts(self) -> PretrainingFacts:
        epochs, counts = self.journal.epochs_of(PRETRAIN), self.prepared.counts
        return pretraining_facts(self.config, epochs, images=counts["pretraining"])

    def _finetune(self) -> None:
        config, journal = self.config, self.journal
        journal.stage = FINETUNE
        classifier = self.networks.classifier.train()
        self.optimizer = self._adam(classifier, config.lr)
        self.average = WeightAverage(classifier, self._average_state)
        images, targets = self.monitor.shown(FEWEST_STEPS * config.batch_size)
        resident = bring_closer(images, self.compute.device)
        steps = len(images) // config.batch_size
        while journal.epoch < config.epochs:
            if journal.best_epoch and journal.epoch - journal.best_epoch >= config.patience:
                break  # never where the last epoch counts as the best
            start = time.perf_counter()
            rate = self._anneal(config.lr, config.epochs)
            result = finetune_epoch(
                classifier,
                self.optimizer,
                resident,
                targets,
                recipe=self.augmentation.classification,
                batch_size=config.batch_size,
                rng=self._rng(FINETUNE),
                compute=self.compute,
                on_step=self._ticker("fine-tuning", steps, config.epochs, self.average.update),
            )
            loss, accuracy = self.monitor.validate(self.average.model)
            journal.epoch += 1
            if loss < journal.best_loss or not self.prepared.can_choose:
                journal.best_loss, journal.best_epoch = loss, journal.epoch
                journal.best = self.average.copy()
            self._record(
                FINETUNE,
                start,
                {
                    "train_loss": result.loss,
                    "train_accuracy": result.accuracy,
                    "val_loss": loss,
                    "val_accuracy": accuracy,
                    "lr": rate,
                },
            )

    def _fit_frozen(self) -> None:
        """A support vector machine in place of fine-tuning; it counts as the only epoch."""
        journal, classifier = self.journal, self.networks.classifier
        journal.stage = FINETUNE
        if journal.epoch:
            return
        start = time.perf_counter()
        self.report("fitting", 0, 1, "a support vector machine on the frozen encoder")
        machine, train_accuracy = self.monitor.fit_svm(self.networks.backbone)
        classifier.set_head(machine.weight, machine.bias)
        loss, accuracy = self.monitor.validate(classifier)
        journal.epoch, journal.best_epoch, journal.best_loss = 1, 1, loss
        self._record(
            FINETUNE,
            start,
            {"train_accuracy": train_accuracy, "val_loss": loss, "val_accuracy": accuracy},
        )
        self.report("fitting", 1, 1, f"validation accuracy {accuracy:.3f}")

    def _adam(self, module: nn.Module, rate: float) -> torch.optim.Optimizer:
        optimizer = torch.optim.Adam(module.parameters(), lr=rate, fused=True)
        if self._optimizer_state is not None:
            optimizer.load_state_dict(self._optimizer_state)
            self._optimizer_state = None
        return optimizer

    def _anneal(self, start: float, epochs: int) -> float:
        rate = cosine_rate(start, self.journal.epoch, epochs)
        assert self.optimizer is not None
        set_rate(self.optimizer, rate)
        return rate

    def _rng(self, stage: Stage) -> np.random.Generator:
        """Return the epoch's generator, seeded from its number: a resumed run draws the same."""
        numbers = [self.config.seed, _STAGE_NUMBER[stage], self.journal.epoch]
        self.ranks.reseed(numbers)
        return np.random.default_rng(numbers)

    def _ticker(
        self, name: str, steps: int, epochs: int, also: Callable[[], None] | None = None
    ) -> Callable[[], None]:
        journal, self._steps = self.journal, steps
        done, total = journal.epoch * steps, epochs * steps
        return ticker(self.report, name, journal.history, done=done, total=total, also=also)

    def _record(self, stage: Stage, start: float, metrics: Mapping[str, float | None]) -> None:
        seconds = time.perf_counter() - start
        self.journal.seconds[stage] += seconds
        self.journal.history.append(
            EpochMeasures(stage=stage, epoch=self.journal.epoch, seconds=seconds, **metrics)
        )
        self._save()

    def _save(self) -> None:
        self.ranks.by_first(self._write)

    def _write(self) -> None:
        run_directory.save_checkpoint(
            self.run,
            {
                "journal": self.journal.state(),
                "networks": self.networks.state(),
                "objective": self.objective.state(),
                "optimizer": self.optimizer.state_dict() if self.optimizer else None,
                "average": self.average.state() if self.average else None,
                "scaler": self.compute.scaler.state_dict(),
                "torch_rng": torch.get_rng_state(),
            },
        )
        run_directory.write_metrics(self.run, self.journal.history)
        if self.log is not None:
            self.log(self.journal.history)

    def _resume(self) -> None:
        state = self.ranks.by_all(lambda: run_directory.load_checkpoint(self.run))
        if state is not None:
            self._take_up(state)
        self.ranks.require_same(
            [self.journal.stage, self.journal.epoch],
            f"epochs in {self.run}",
            hint="make sure that all ranks see the same run directory",
        )
        for module in (self.networks.projector, self.networks.classifier):
            self.ranks.copy_first(module)

    def _take_up(self, state: dict[str, Any]) -> None:
        where = str(self.run / run_directory.CHECKPOINT)
        self.journal = Journal.of(state["journal"], where=where)
        self.networks.load(state["networks"])
        self.objective.load(state["objective"])
        self._optimizer_state = state["optimizer"]
        self._average_state = state["average"]
        if state.get("scaler"):  # empty where nothing is scaled
            self.compute.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["torch_rng"])
