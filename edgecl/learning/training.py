"""A run from its first epoch to its result, resumable after any of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from edgecl.encoders.weights import FoundWeights
from edgecl.learning import run_directory
from edgecl.learning.augmentation import augmentation_of
from edgecl.learning.averaging import WeightAverage
from edgecl.learning.compute import Compute
from edgecl.learning.conclusion import conclude
from edgecl.learning.config import FROZEN_ENCODERS, TrainConfig
from edgecl.learning.epochs import (
    DivergedError,
    cosine_rate,
    embed,
    finetune_epoch,
    predict,
    pretrain_epoch,
)
from edgecl.learning.model import Classifier
from edgecl.learning.objectives import build_objective
from edgecl.learning.preparation import Prepared, Report
from edgecl.learning.probe import LinearProbe, fit_linear_probe, knn_accuracy
from edgecl.learning.state import FINETUNE, PRETRAIN, Journal, Networks
from edgecl.learning.svm import fit_linear_svm
from runtime.errors import InputError

_STAGE_NUMBER = {PRETRAIN: 1, FINETUNE: 2}
PROBE_EVERY = 5
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
        report: Report,
        weights: FoundWeights | None = None,
    ) -> None:
        self.config = config
        self.prepared = prepared
        self.run = run
        self.compute = compute
        self.report = report
        self.networks = Networks.build(config, prepared, compute.device, weights)
        self.objective = build_objective(
            config, self.networks.backbone.embedding_size, compute.device
        )
        self.augmentation = augmentation_of(config.method)
        self.journal = Journal()
        self.optimizer: torch.optim.Optimizer | None = None
        pictures, split = prepared.pictures, prepared.split
        self.train_images = pictures.images[split.train]
        self.train_targets = pictures.targets[split.train]
        self.validation_images = pictures.images[split.validation]
        self.validation_targets = pictures.targets[split.validation]
        self.average: WeightAverage | None = None
        self._optimizer_state: Any = None
        self._average_state: Any = None
        self._resume()

    def finish(self) -> dict[str, Any]:
        """Train to the end, touch the test part once, and write weights, predictions and result.

        Returns:
            What result.json holds.

        Raises:
            InputError: a loss became infinite or no number; the checkpoint is that of the last
                whole epoch.
        """
        try:
            if self.config.method != "none" and self.journal.stage == PRETRAIN:
                self._pretrain()
            if self.config.encoder in FROZEN_ENCODERS:
                self._fit_frozen()
            else:
                self._finetune()
        except DivergedError as error:
            raise self._diverged(error.step) from error
        classifier = self.networks.classifier
        if self.journal.best is not None:
            classifier.load_state_dict(self.journal.best)
        self.report("testing", 0, 1, "the test part, once")
        result = conclude(
            self.config, self.prepared, self.run, classifier, self.journal, self.compute.device
        )
        self.report("testing", 1, 1, "done")
        return result

    def _diverged(self, step: int) -> InputError:
        pretraining = self.journal.stage == PRETRAIN
        option, rate = (
            ("--pretrain-rate", self.config.pretrain_rate)
            if pretraining
            else ("--rate", self.config.rate)
        )
        name = "pretraining" if pretraining else "fine-tuning"
        kept = self.run / run_directory.CHECKPOINT
        state = f"{kept} is that of the last good epoch" if kept.exists() else "no epoch was whole"
        return InputError(
            f"the loss of {name} stopped being a number in epoch {self.journal.epoch + 1}, step "
            f"{step} ({state})",
            mend=f"start a new run with {option} below {rate:g}, or with --autocast off",
        )

    def _pretrain(self) -> None:
        config, journal = self.config, self.journal
        images = np.concatenate((self.train_images, self.prepared.extra))
        projector = self.networks.projector.train()
        self.optimizer = self._adam(projector, config.pretrain_rate)
        steps = len(images) // config.batch_size
        while journal.epoch < config.pretrain_epochs:
            start = time.perf_counter()
            rate = self._anneal(config.pretrain_rate, config.pretrain_epochs)
            tick = self._ticker("pretraining", steps, config.pretrain_epochs)
            result = pretrain_epoch(
                projector,
                self.optimizer,
                images,
                objective=self.objective,
                recipe=self.augmentation.contrastive,
                batch_size=config.batch_size,
                rng=self._rng(PRETRAIN),
                compute=self.compute,
                on_step=tick,
            )
            journal.epoch += 1
            last = journal.epoch == config.pretrain_epochs
            due = last or journal.epoch % PROBE_EVERY == 0
            self._record(
                PRETRAIN,
                start,
                {
                    "loss": result.loss,
                    "contrastive_accuracy": result.accuracy,
                    **(self._frozen_accuracies() if due else _NOT_DUE),
                    "learning_rate": rate,
                },
            )
        journal.stage, journal.epoch, self.optimizer = FINETUNE, 0, None
        self._set_head(self._fit_probe())
        self._save()

    def _finetune(self) -> None:
        config, journal = self.config, self.journal
        journal.stage = FINETUNE
        classifier = self.networks.classifier.train()
        self.optimizer = self._adam(classifier, config.rate)
        self.average = WeightAverage(classifier, self._average_state)
        steps = max(1, len(self.train_images) // config.batch_size)
        while journal.epoch < config.epochs:
            if journal.best_epoch and journal.epoch - journal.best_epoch >= config.patience:
                break
            start = time.perf_counter()
            rate = self._anneal(config.rate, config.epochs)
            result = finetune_epoch(
                classifier,
                self.optimizer,
                self.train_images,
                self.train_targets,
                recipe=self.augmentation.classification,
                batch_size=config.batch_size,
                rng=self._rng(FINETUNE),
                compute=self.compute,
                on_step=self._ticker("fine-tuning", steps, config.epochs, self.average.update),
            )
            loss, accuracy = self._validate(self.average.model)
            journal.epoch += 1
            if loss < journal.best_loss:
                journal.best_loss, journal.best_epoch = loss, journal.epoch
                journal.best = {
                    key: value.detach().cpu().clone()
                    for key, value in self.average.model.state_dict().items()
                }
            self._record(
                FINETUNE,
                start,
                {
                    "train_loss": result.loss,
                    "train_accuracy": result.accuracy,
                    "val_loss": loss,
                    "val_accuracy": accuracy,
                    "learning_rate": rate,
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
        embeddings = embed(self.networks.backbone, self.train_images, self.compute.device)
        machine = fit_linear_svm(embeddings, self.train_targets, len(self.prepared.pictures.labels))
        self._set_head(machine)
        loss, accuracy = self._validate(classifier)
        journal.epoch, journal.best_epoch, journal.best_loss = 1, 1, loss
        train_accuracy = machine.accuracy(embeddings, self.train_targets)
        self._record(
            FINETUNE,
            start,
            {"train_accuracy": train_accuracy, "val_loss": loss, "val_accuracy": accuracy},
        )
        self.report("fitting", 1, 1, f"validation accuracy {accuracy:.3f}")

    def _set_head(self, layer: LinearProbe) -> None:
        head = self.networks.classifier.head
        with torch.no_grad():
            head.weight.copy_(torch.from_numpy(layer.weight))
            head.bias.copy_(torch.from_numpy(layer.bias))

    def _adam(self, module: nn.Module, rate: float) -> torch.optim.Optimizer:
        optimizer = torch.optim.Adam(module.parameters(), lr=rate, fused=True)
        if self._optimizer_state is not None:
            optimizer.load_state_dict(self._optimizer_state)
            self._optimizer_state = None
        return optimizer

    def _anneal(self, start: float, epochs: int) -> float:
        assert self.optimizer is not None
        rate = cosine_rate(start, self.journal.epoch, epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _rng(self, stage: str) -> np.random.Generator:
        """Each epoch's randomness comes from its number: a resumed run draws the same."""
        return np.random.default_rng([self.config.seed, _STAGE_NUMBER[stage], self.journal.epoch])

    def _ticker(
        self, name: str, steps: int, epochs: int, also: Callable[[], None] | None = None
    ) -> Callable[[], None]:
        done = self.journal.epoch * steps
        last = self.journal.history[-1] if self.journal.history else {}
        text = ", ".join(
            f"{label} {last[key]:.3f}"
            for key, label in (
                ("loss", "loss"),
                ("contrastive_accuracy", "contrastive accuracy"),
                ("val_loss", "validation loss"),
                ("val_accuracy", "accuracy"),
            )
            if last.get(key) is not None
        )

        def tick() -> None:
            nonlocal done
            done += 1
            if also is not None:
                also()
            self.report(name, done, steps * epochs, text)

        return tick

    def _fit_probe(self) -> LinearProbe:
        return fit_linear_probe(
            embed(self.networks.backbone, self.train_images, self.compute.device),
            self.train_targets,
            len(self.prepared.pictures.labels),
        )

    def _frozen_accuracies(self) -> dict[str, float]:
        """What the frozen encoder is worth on the validation part, by both measures."""
        device, targets = self.compute.device, self.validation_targets
        known = embed(self.networks.backbone, self.train_images, device)
        held_out = embed(self.networks.backbone, self.validation_images, device)
        probe = fit_linear_probe(known, self.train_targets, len(self.prepared.pictures.labels))
        return {
            "probe_accuracy": probe.accuracy(held_out, targets),
            "knn_accuracy": knn_accuracy(known, self.train_targets, held_out, targets),
        }

    def _validate(self, classifier: Classifier) -> tuple[float, float]:
        logits = torch.from_numpy(predict(classifier, self.validation_images, self.compute.device))
        targets = torch.from_numpy(self.validation_targets)
        accuracy = (logits.argmax(1) == targets).float().mean()
        return float(F.cross_entropy(logits, targets)), float(accuracy)

    def _record(self, stage: str, start: float, metrics: dict[str, Any]) -> None:
        seconds = time.perf_counter() - start
        self.journal.seconds[stage] += seconds
        self.journal.history.append(
            {"stage": stage, "epoch": self.journal.epoch, **metrics, "seconds": seconds}
        )
        self._save()

    def _save(self) -> None:
        run_directory.save_checkpoint(
            self.run,
            {
                "journal": vars(self.journal),
                "networks": self.networks.state(),
                "objective": self.objective.state(),
                "optimizer": self.optimizer.state_dict() if self.optimizer else None,
                "average": self.average.state() if self.average else None,
                "torch_rng": torch.get_rng_state(),
            },
        )
        run_directory.write_metrics(self.run, self.journal.history)

    def _resume(self) -> None:
        state = run_directory.load_checkpoint(self.run)
        if state is None:
            return
        self.journal = Journal(**state["journal"])
        self.networks.load(state["networks"])
        self.objective.load(state["objective"])
        self._optimizer_state = state["optimizer"]
        self._average_state = state["average"]
        torch.set_rng_state(state["torch_rng"])
