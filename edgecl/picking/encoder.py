"""Encoder of a run, asked about images of any size in the run's own geometry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edgecl.data.pass_labels import passing_classes
from edgecl.data.pixels.selection import Stored
from edgecl.data.pixels.tiled import TiledImages
from edgecl.learning.compute.placement import default_device
from edgecl.learning.config import TrainConfig
from edgecl.learning.loop.answers import embed, predict_and_embed
from edgecl.learning.loop.epochs import DivergedError
from edgecl.learning.model import Backbone, Classifier
from edgecl.learning.run.own_flat import with_own_flat
from edgecl.learning.run.pretrained import read_pretrained
from edgecl.learning.run.run_directory import RESULT, load_classifier, read_config, read_result
from runtime.artifact.contract import InputContract
from runtime.errors import InputError
from runtime.image.preprocess import Preprocessor

_IMAGES = 256
"""Images in memory at the run's size at once."""


@dataclass(frozen=True)
class RunEncoder:
    """Network of a run.

    Args:
        run: its directory.
        config: its choices.
        labels: class names, in the order of the answers.
        network: the whole classifier of a finished run, or the encoder of a pretraining alone.
    """

    run: Path
    config: TrainConfig
    labels: tuple[str, ...]
    network: Classifier | Backbone

    @property
    def answers(self) -> bool:
        """Whether it can name classes."""
        return isinstance(self.network, Classifier)

    @property
    def scale(self) -> float:
        """Factor by which images are resized before they are described."""
        return self.config.tiling.scale if self.config.tiling is not None else 1.0

    def describe(
        self, images: TiledImages, progress: Callable[[int], None]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return embeddings, float32 N×D, and probabilities, N×C, where the run was finished.

        Args:
            images: at the run's scale, N of any size.
            progress: called with the number of images that are done.

        Raises:
            InputError: a value is not finite.
        """
        embeddings, probabilities = [], []
        done = 0
        for part in self._in_geometry(images):
            try:
                embedding, shares = self._asked(part)
            except DivergedError as error:
                raise InputError(
                    f"{error.what} of {self.run} are not finite",
                    hint="train again, or omit --run",
                ) from error
            embeddings.append(embedding)
            probabilities.extend(shares)
            done += len(part)
            progress(done)
        return np.concatenate(embeddings), (
            np.concatenate(probabilities) if probabilities else None
        )

    def _asked(self, images: Stored) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        device = default_device()
        network = self.network.to(device)
        if not isinstance(network, Classifier):
            return embed(network, images, device), []
        passing = passing_classes(self.labels)
        logits, embeddings = predict_and_embed(network, images, device, passing)
        return embeddings, [torch.softmax(torch.from_numpy(logits), dim=1).numpy()]

    def _in_geometry(self, images: TiledImages) -> Iterator[Stored]:
        """Yield the images a few at a time, as tiles or at the run's size."""
        config = self.config
        parts = (images[start : start + _IMAGES] for start in range(0, len(images), _IMAGES))
        if config.tiling is not None:
            for part in parts:
                yield TiledImages(part.pixels, config.tiling)
            return
        preprocess = Preprocessor(InputContract(*config.image_size, config.interpolation))
        for part in parts:
            stretched = np.empty((len(part), *config.image_size), np.uint8)
            for image, place in zip(part, stretched, strict=True):
                preprocess(image, place)
            yield stretched


def load_encoder(run: Path) -> RunEncoder:
    """Load the network of a finished run, or of one that was pretrained only.

    Raises:
        InputError: there is no such run, it did not get so far, or its weights are damaged.
    """
    recorded = read_config(run)
    config = recorded.choices
    config = with_own_flat(config, run, recorded.flat_digest)
    if config.pretrain_only and not (run / RESULT).exists():
        pretrained = read_pretrained(run, config)
        backbone = Backbone(config.encoder, config.image_size, config.channels)
        backbone.load_state_dict(pretrained.weights)
        return RunEncoder(run, config, recorded.labels, backbone.eval())
    classifier, _ = load_classifier(run)
    result = read_result(run)
    if config.tiling is not None and result.tiling is not None:
        config = replace(config, combine=result.tiling.combine)  # `auto` was settled in training
    return RunEncoder(run, config, recorded.labels, classifier)
