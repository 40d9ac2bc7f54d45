"""Finished pretraining for other runs: the encoder, and the facts needed to use it fairly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from edgecl.data.store import Selection
from edgecl.learning.config import TrainConfig, views_of
from edgecl.learning.contrastive.collapse import collapse_note
from edgecl.learning.model import Backbone
from edgecl.learning.run.leaks import thumbnails
from runtime.errors import InputError
from runtime.files.atomic import replacing

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
        facts: what the file says of itself: `encoder`, `image_size`, `channels`, `method`,
            `views`, `seed`, `pretrain_on`, `batch_size`, `epochs`, `images`, `seconds`,
            `last_epoch` with its measures, and `notes`.
    """

    path: Path
    weights: dict[str, Tensor]
    seen: NDArray[np.uint8]
    facts: dict[str, Any]

    def notes(self, config: TrainConfig) -> list[str]:
        """Describe the encoder's origin, for the notes of a run with the choices `config`."""
        method = self.facts["method"]
        notes = [
            f"pretraining reused from {self.path.parent}: {method}, {self.facts['epochs']} "
            f"epochs on {self.facts['images']} images"
        ]
        # Files from before there was a choice have the method's own.
        before, now = self.facts.get("views", views_of(method)), views_of(method, config.views)
        if before != now:
            notes.append(f"pretraining used {before} views, fine-tuning {now} views")
        return notes


def pretraining_facts(
    config: TrainConfig, epochs: Sequence[Mapping[str, Any]], *, images: int
) -> dict[str, Any]:
    """Description of a finished pretraining, see `Pretrained`.

    Args:
        epochs: its lines of metrics.jsonl.
        images: how many it saw.
    """
    choices = config.to_json()
    names = (*_SAME, "seed", "pretrain_on", "batch_size")
    return {
        **{name: _plain(choices[name]) for name in names},
        "views": views_of(config.method, config.views),
        "epochs": len(epochs),
        "images": images,
        "seconds": sum(line["seconds"] for line in epochs),
        "last_epoch": dict(epochs[-1]),
        "notes": list(collapse_note(config, epochs[-1])),
    }


def save_pretrained(
    run: Path, backbone: Backbone, images: NDArray[np.uint8] | Selection, facts: dict[str, Any]
) -> None:
    """Write pretrained.safetensors into a run directory.

    Args:
        images: uint8, M×H×W, what it was pretrained on.
        facts: see `Pretrained`.
    """
    tensors = {
        key: value.detach().cpu().contiguous() for key, value in backbone.state_dict().items()
    }
    tensors[_SEEN] = torch.from_numpy(thumbnails(images))
    with replacing(run / PRETRAINED) as path:
        save_file(tensors, path, metadata={_FACTS: json.dumps(facts)})


def read_pretrained(run: Path, config: TrainConfig) -> Pretrained:
    """Read what a run's pretraining left, for a run with the choices `config`.

    Raises:
        InputError: there is none, it is damaged, or it is of another encoder, image size or
            method.
    """
    pretrained = _read(run)
    facts = pretrained.facts
    wanted = config.to_json()
    for name in _SAME:
        if facts.get(name) != _plain(wanted[name]):
            raise InputError(
                f"{run} was pretrained with {name.replace('_', ' ')} "
                f"{_words(facts.get(name))}, but this run uses "
                f"{_words(_plain(wanted[name]))}",
                hint=f"change --{name.replace('_', '-')}, or pretrain again",
            )
    return pretrained


def pretrained_method(run: Path) -> str:
    """The method of a run's pretraining.

    Raises:
        InputError: there is none, or it is damaged.
    """
    return str(_read(run).facts["method"])


def _read(run: Path) -> Pretrained:
    path = run / PRETRAINED
    if not path.is_file():
        raise InputError(
            f"{run} has no {PRETRAINED}: its pretraining was not finished",
            hint="pass a run of 'edgecl train', with or without --pretrain-only",
        )
    try:
        with safe_open(path, framework="pt") as file:
            # Files from before there was a choice of channels do not name theirs.
            facts = {"channels": 1, **json.loads(file.metadata()[_FACTS])}
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        seen = weights.pop(_SEEN).numpy()
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is damaged, or was not written by edgecl", hint="pretrain again"
        ) from error
    return Pretrained(path, weights, seen, facts)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _words(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)
