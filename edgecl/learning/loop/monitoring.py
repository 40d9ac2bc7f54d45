"""Measurements during a run: on the train and the validation part, never on the test part."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from edgecl.data.pass_labels import passing_classes
from edgecl.data.pixels.selection import ImageRows, select
from edgecl.learning.compute.placement import Compute
from edgecl.learning.documents import EpochMeasures
from edgecl.learning.evaluation.probe import LinearProbe, fit_linear_probe, knn_accuracy
from edgecl.learning.evaluation.svm import fit_linear_svm
from edgecl.learning.loop.answers import embed, predict
from edgecl.learning.loop.epochs import LOSS, DivergedError
from edgecl.learning.model import Backbone, Classifier
from edgecl.learning.run.preparation import Prepared
from runtime.progress import StageProgress

T = TypeVar("T")

# What a progress line says of the epoch before.
_SHOWN = {
    "loss": "loss",
    "contrastive_accuracy": "contrastive accuracy",
    "val_loss": "validation loss",
    "val_accuracy": "accuracy",
}


class Monitor:
    """Labelled train and validation parts, and measurements of networks on them.

    Args:
        images, targets: uint8 N×H×W and int64 N, of the train part.
        validation_images, validation_targets: likewise.
        classes: how many labels there are.
        passing: numbers of the classes that by their names let a part pass.
        compute: where the networks live; the first of its ranks measures for all.
    """

    def __init__(self, prepared: Prepared, compute: Compute) -> None:
        dataset, split = prepared.dataset, prepared.split
        self.images = select((dataset.images, split.train))
        self.targets: NDArray[np.int64] = dataset.targets[split.train]
        self.validation_images = select((dataset.images, split.validation))
        self.validation_targets: NDArray[np.int64] = dataset.targets[split.validation]
        self.classes = len(dataset.labels)
        self.passing = passing_classes(dataset.labels)
        self.device, self.ranks = compute.device, compute.ranks

    def shown(self, fewest: int) -> tuple[ImageRows, NDArray[np.int64]]:
        """The labelled images of one epoch of fine-tuning.

        Args:
            fewest: where there are fewer, they come again, each time in another view.
        """
        return repeated(self.images, self.targets, fewest)

    def fit_svm(self, backbone: Backbone) -> tuple[LinearProbe, float]:
        """A support vector machine on the frozen encoder, and its accuracy on the train part."""
        embeddings = embed(backbone, self.images, self.device)
        machine = fit_linear_svm(embeddings, self.targets, self.classes)
        return machine, machine.accuracy(embeddings, self.targets)

    def frozen_accuracies(self, backbone: Backbone) -> dict[str, float]:
        """Measure the frozen encoder on the validation part, by both measures.

        Raises:
            DivergedError: on all ranks, where an embedding is not finite.
        """
        return self._measured(lambda: self._frozen_accuracies(backbone))

    def _frozen_accuracies(self, backbone: Backbone) -> dict[str, float]:
        known = embed(backbone, self.images, self.device)
        held_out = embed(backbone, self.validation_images, self.device)
        probe = fit_linear_probe(known, self.targets, self.classes)
        return {
            "probe_accuracy": probe.accuracy(held_out, self.validation_targets),
            "knn_accuracy": knn_accuracy(known, self.targets, held_out, self.validation_targets),
        }

    def validate(self, classifier: Classifier) -> tuple[float, float]:
        """Loss and accuracy on the validation part.

        Raises:
            DivergedError: on all ranks, where an output or the loss is not finite.
        """
        return self._measured(lambda: self._validate(classifier))

    def _validate(self, classifier: Classifier) -> tuple[float, float]:
        logits = torch.from_numpy(
            predict(classifier, self.validation_images, self.device, self.passing)
        )
        targets = torch.from_numpy(self.validation_targets)
        accuracy = (logits.argmax(1) == targets).float().mean()
        loss = float(F.cross_entropy(logits, targets))
        if not math.isfinite(loss):
            raise DivergedError(None, LOSS)
        return loss, float(accuracy)

    def _measured(self, work: Callable[[], T]) -> T:
        """Return the first rank's measurement; what diverged on it has diverged on all."""

        def told() -> tuple[T | None, str]:
            try:
                return work(), ""
            except DivergedError as error:
                return None, error.what

        found, diverged = self.ranks.by_first(told)
        if diverged:
            raise DivergedError(None, diverged)
        return cast(T, found)


def repeated(
    images: ImageRows, targets: NDArray[np.int64], fewest: int
) -> tuple[ImageRows, NDArray[np.int64]]:
    """Return images and class numbers as often as it takes to have `fewest`."""
    times = math.ceil(fewest / len(images))
    if times <= 1:
        return images, targets
    rows = np.tile(np.arange(len(images)), times)
    return images[rows], targets[rows]


def ticker(
    report: StageProgress,
    stage: str,
    history: Sequence[EpochMeasures],
    *,
    done: int,
    total: int,
    also: Callable[[], None] | None = None,
) -> Callable[[], None]:
    """Return the callback of an epoch's steps, which advances the progress.

    Args:
        report: where progress goes.
        stage: its name there.
        history: the epochs so far; the last one's measures stand beside the bar.
        done, total: steps of the stage, before this epoch and in all.
        also: called after each step, too.
    """
    last = history[-1] if history else None
    measures = ((label, getattr(last, key, None)) for key, label in _SHOWN.items())
    text = ", ".join(f"{label} {value:.3f}" for label, value in measures if value is not None)

    def tick() -> None:
        nonlocal done
        done += 1
        if also is not None:
            also()
        report(stage, done, total, text)

    return tick
