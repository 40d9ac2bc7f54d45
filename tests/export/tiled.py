"""A tiny network for tiles, and images of three surfaces that it tells apart tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.gate.decision import Limits
from export.job import DataPart, Int8Choices, Job
from runtime.artifact.contract import InputContract, ModelContract
from runtime.artifact.manifest import Origin
from runtime.artifact.tiling import Tiling
from runtime.image.preprocess import Preprocessor

LABELS = ("clean", "pits", "scratches")
LEVELS = (0.8, 0.2, 0.5)
"""Share of white of a tile of each class."""
TILING = Tiling((32, 48), combine="worst")
CONTRACT = ModelContract(InputContract(32, 48, tiling=TILING), LABELS, ("clean",))


class Levels(nn.Module):
    """Tells classes apart by a tile's mean: the nearest of `LEVELS`."""

    def __init__(self, sharpness: float = 60.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(1, 8, 3, stride=2)
        self.head = nn.Linear(8, len(LEVELS))
        levels = torch.tensor(LEVELS)
        with torch.no_grad():
            self.convolution.weight.abs_()
            self.convolution.weight[0] = 1 / 9
            self.convolution.bias.zero_()  # type: ignore[union-attr]
            self.head.weight.zero_()
            self.head.weight[:, 0] = sharpness * 2 * levels
            self.head.bias.copy_(-sharpness * levels**2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 N×1×h×w to logits and embeddings."""
        x = images.to(self.head.weight.dtype) / 255
        embedding = torch.relu(self.convolution(x)).mean(dim=(2, 3))
        return self.head(embedding), embedding


def frames(count: int, seed: int, sizes: Sequence[tuple[int, int]]) -> list[NDArray[np.uint8]]:
    """Frames whose class goes round: noise of a clean surface, with one tile of a defect."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        height, width = sizes[number % len(sizes)]
        level = np.full((height, width), LEVELS[0])
        kind = number % len(LEVELS)
        if kind:
            top, left = rng.integers(0, height // 32) * 32, rng.integers(0, width // 48) * 48
            level[top : top + 32, left : left + 48] = LEVELS[kind]
        noisy = 255 * level + rng.normal(0, 4, level.shape)
        found.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return found


def part_of(
    images: Sequence[NDArray[np.uint8]], name: str, contract: ModelContract = CONTRACT
) -> DataPart:
    """The frames as a part of the data, cut as on the line."""
    preprocess = Preprocessor(contract.input)
    tiles = [preprocess.prepare(image)[:, 0].copy() for image in images]
    numbers = range(len(images))
    return DataPart(
        np.concatenate(tiles),
        np.array([number % len(LEVELS) for number in numbers], np.int64),
        [f"{name}/{number}.png" for number in numbers],
        [f"{name}-{number}" for number in numbers],
        None if contract.input.tiling is None else np.array([len(own) for own in tiles]),
    )


def job_of_tiles(
    precisions: Sequence[str] = (),
    *,
    contract: ModelContract = CONTRACT,
    sizes: Sequence[tuple[int, int]] = ((96, 144), (64, 96), (32, 48)),
    int8: Int8Choices | None = None,
    **fields: Any,
) -> Job:
    """What an export takes, of frames of several sizes."""
    network = fields.pop("network", None) or Levels().eval()
    return Job(
        classifier=network,
        trained=network,
        contract=contract,
        precisions=precisions,
        validation=part_of(frames(30, 1, sizes), "validation", contract),
        test=part_of(frames(12, 2, sizes), "test", contract),
        candidates=part_of(frames(48, 3, sizes), "train", contract),
        limits=fields.pop("limits", Limits()),
        int8=int8 or Int8Choices(algorithm="minmax", images=32),
        origin=Origin(),
        version="0",
        **fields,
    )
