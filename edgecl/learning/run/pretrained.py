"""Finished pretraining for other runs: the encoder, and the facts needed to use it fairly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from edgecl.data.pixels.selection import ImageRows
from edgecl.learning.config import TrainConfig, views_of
from edgecl.learning.contrastive.collapse import collapse_note
from edgecl.learning.documents import EpochMeasures, PretrainingFacts
from edgecl.learning.model import Backbone
from edgecl.learning.run.leaks import thumbnails
from runtime.errors import InputError
from runtime.files.atomic import replacing
from runtime.files.document import plain

PRETRAINED = "pretrained.safetensors"
_SEEN = "seen_thumbnails"
_FACTS = "pretraining"
# What must be the same for the weights to mean anything.
_SAME = ("encoder", "image_size", "channels", "method")


@dataclass(frozen=True)
class Pretrained:
    """An encoder after pretraining.

    Args:
        path: the file.
        weights: the backbone's state dict.
        seen: thumbnails of the images that it was pretrained on, uint8 M×32×32.
        facts: what the file says of itself.
    """

    path: Path
    weights: dict[str, Tensor]
    seen: NDArray[np.uint8]
    facts: PretrainingFacts

    def notes(self, config: TrainConfig) -> list[str]:
        """Describe the encoder's origin, for the notes of a run with the choices `config`."""
        method = self.facts.method
        notes = [
            f"pretraining reused from {self.path.parent}: {method}, {self.facts.epochs} "
            f"epochs on {self.facts.images} images"
        ]
        # Files from before there was a choice have the method's own.
        before, now = self.facts.views or views_of(method), config.views_used
        if before != now:
            notes.append(f"pretraining used {before} views, fine-tuning {now} views")
        return notes


def pretraining_facts(
    config: TrainConfig, epochs: Sequence[EpochMeasures], *, images: int
) -> PretrainingFacts:
    """Description of a finished pretraining.

    Args:
        epochs: all of it.
        images: how many it saw.
    """
    return PretrainingFacts(
        encoder=config.encoder,
        image_size=config.image_size,
        channels=config.channels,
        method=config.method,
        seed=config.seed,
        pretrain_on=config.pretrain_on,
        batch_size=config.pretraining_batch,
        views=config.views_used,
        epochs=len(epochs),
        images=images,
        seconds=sum(epoch.seconds for epoch in epochs),
        last_epoch=epochs[-1],
        notes=collapse_note(config, epochs[-1].pretraining_loss, epochs=epochs[-1].epoch),
    )


def save_pretrained(
    run: Path, backbone: Backbone, images: ImageRows, facts: PretrainingFacts
) -> None:
    """Write pretrained.safetensors into a run directory.

    Args:
        images: uint8, M×H×W, what it was pretrained on.
        facts: what the file says of itself.
    """
    tensors = {
        key: value.detach().cpu().contiguous() for key, value in backbone.state_dict().items()
    }
    tensors[_SEEN] = torch.from_numpy(thumbnails(images))
    with replacing(run / PRETRAINED) as path:
        save_file(tensors, path, metadata={_FACTS: json.dumps(plain(facts))})


def read_pretrained(run: Path, config: TrainConfig) -> Pretrained:
    """Read what a run's pretraining left, for a run with the choices `config`.

    Raises:
        InputError: there is none, it is damaged, or it is of another encoder, image size or
            method.
    """
    pretrained = _read(run)
    facts = pretrained.facts
    for name in _SAME:
        before, wanted = getattr(facts, name), getattr(config, name)
        if before != wanted:
            raise InputError(
                f"{run} was pretrained with {name.replace('_', ' ')} "
                f"{_words(before)}, but this run uses {_words(wanted)}",
                hint=f"change --{name.replace('_', '-')}, or pretrain again",
            )
    return pretrained


def pretrained_method(run: Path) -> str:
    """The method of a run's pretraining.

    Raises:
        InputError: there is none, or it is damaged.
    """
    return _read(run).facts.method


def _read(run: Path) -> Pretrained:
    path = run / PRETRAINED
    if not path.is_file():
        raise InputError(
            f"{run} has no {PRETRAINED}: its pretraining was not finished",
            hint="pass a run of 'edgecl train', with or without --pretrain-only",
        )
    try:
        with safe_open(path, framework="pt") as file:
            facts = msgspec.convert(json.loads(file.metadata()[_FACTS]), PretrainingFacts)
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        seen = weights.pop(_SEEN).numpy()
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is damaged, or was not written by edgecl", hint="pretrain again"
        ) from error
    return Pretrained(path, weights, seen, facts)


def _words(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
