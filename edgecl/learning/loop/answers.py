"""Answers of a network to images: of whole images, or of their tiles together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgecl.data.pixels.selection import ImageRows
from edgecl.data.pixels.tiled import TiledImages
from edgecl.learning.loop.epochs import DivergedError
from edgecl.learning.model import Classifier
from runtime.artifact.tiling import MEAN
from runtime.image.tiles import combine_images

EVALUATION_BATCH = 128
LARGEST = 1e15
"""Largest value of an embedding or a logit: squares of larger ones overflow float32 sums."""

EMBEDDINGS, ANSWERS = "the embeddings", "the outputs"
# Of a probability, where its logarithm is asked for.
_SMALLEST = np.float32(1e-30)


@dataclass(frozen=True)
class TileAnswers:
    """A classifier's answers to the tiles of N images.

    Args:
        logits: float32, T×C, image after image.
        embeddings: float32, T×D.
        counts: int64, N, tiles of each image; one each where images are not cut.
    """

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    counts: NDArray[np.int64]

    def image_logits(self, combine: str, passing: Sequence[int] = ()) -> NDArray[np.float32]:
        """Return float32 N×C whose softmax is the images' probabilities.

        Args:
            combine, passing: as for `runtime.image.tiles.combine`.
        """
        if (self.counts == 1).all():
            return self.logits
        probabilities = torch.softmax(torch.from_numpy(self.logits), dim=1).numpy()
        combined = combine_images(probabilities, self.counts, combine, passing)
        return np.log(np.maximum(combined, _SMALLEST))

    def image_embeddings(self) -> NDArray[np.float32]:
        """Return the means of the tiles' embeddings, float32 N×D."""
        return _means(self.embeddings, self.counts)


def embed(backbone: nn.Module, images: ImageRows, device: torch.device) -> NDArray[np.float32]:
    """Embeddings of images, float32 N×D, in evaluation mode and full precision.

    Raises:
        DivergedError: one is not finite, or nearly so.
    """
    return _means(*_evaluate(backbone, backbone, images, device, EMBEDDINGS))


def predict(
    classifier: Classifier, images: ImageRows, device: torch.device, passing: Sequence[int] = ()
) -> NDArray[np.float32]:
    """Logits of images, float32 N×C, in evaluation mode and full precision.

    Args:
        passing: numbers of the classes that let a part pass, by which the worst tile is known.

    Raises:
        DivergedError: one is not finite, or nearly so.
    """
    logits, counts = _evaluate(
        classifier, lambda batch: classifier(batch)[0], images, device, ANSWERS
    )
    return TileAnswers(logits, logits, counts).image_logits(combination(images), passing)


def answer_tiles(classifier: Classifier, images: ImageRows, device: torch.device) -> TileAnswers:
    """Return what the classifier says of every tile, or of every whole image, in one pass.

    Raises:
        DivergedError: a value is not finite, or nearly so.
    """
    both, counts = _evaluate(
        classifier, lambda batch: torch.cat(classifier(batch), dim=1), images, device, ANSWERS
    )
    classes = classifier.head.out_features
    return TileAnswers(
        np.ascontiguousarray(both[:, :classes]), np.ascontiguousarray(both[:, classes:]), counts
    )


def predict_and_embed(
    classifier: Classifier, images: ImageRows, device: torch.device, passing: Sequence[int] = ()
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the results of `predict` and `embed` from one pass: float32 N×C and N×D."""
    answers = answer_tiles(classifier, images, device)
    return answers.image_logits(combination(images), passing), answers.image_embeddings()


def combination(images: ImageRows) -> str:
    """Return how the answers to the tiles of these images are combined."""
    return images.tiling.combine if isinstance(images, TiledImages) else MEAN


def _means(rows: NDArray[np.float32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
    if not len(counts) or (counts == 1).all():
        return rows
    ends = np.cumsum(counts)
    sums = np.add.reduceat(rows.astype(np.float64), ends - counts, axis=0)
    return (sums / counts[:, None]).astype(np.float32)


def _batches(images: ImageRows) -> Iterator[NDArray[np.uint8]]:
    """Yield uint8 B×H×W: whole images, or all tiles of some."""
    if isinstance(images, TiledImages):
        for part in images.batches(EVALUATION_BATCH):
            yield part.tiles()
        return
    for start in range(0, len(images), EVALUATION_BATCH):
        yield images[start : start + EVALUATION_BATCH]


@torch.no_grad()
def _evaluate(
    network: nn.Module,
    answer: Callable[[Tensor], Tensor],
    images: ImageRows,
    device: torch.device,
    what: str,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Run `network` in evaluation mode, in batches; its mode is restored afterwards.

    Returns:
        A row per tile or image, and the number of rows of each image.
    """
    was_training = network.training
    network.eval()
    parts = [
        answer(torch.from_numpy(batch)[:, None].to(device)).cpu() for batch in _batches(images)
    ]
    network.train(was_training)
    answers: NDArray[np.float32] = torch.cat(parts).numpy()
    if not (np.abs(answers) <= LARGEST).all():
        raise DivergedError(None, what)
    if isinstance(images, TiledImages):
        return answers, images.counts()
    return answers, np.ones(len(images), np.int64)
