"""NNCLR's support set: the embeddings of earlier images, first in, first out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

NOBODY = -1


class SupportSet:
    """A queue of unit vectors, each with the number of the image it came from.

    Sources: Dwibedi et al., "With a Little Help from My Friends: Nearest-Neighbor Contrastive
    Learning of Visual Representations", ICCV 2021; Zabin et al. 2023 (10,000 × 128, only first
    views enter, after the loss). Two things differ from them, both on purpose. The queue begins
    empty instead of full of random vectors, which are nobody's neighbours for the first
    size/batch steps. And an image never meets its own earlier embedding: where the queue is
    larger than the data set, that copy would always be the nearest, and the loss SimCLR's.

    Args:
        size: how many vectors it holds, at least 1.
        dimension: D of the vectors.
        device: where they live.
    """

    def __init__(self, size: int, dimension: int, device: torch.device) -> None:
        self.vectors = torch.zeros(size, dimension, device=device)
        self.owners = torch.full((size,), NOBODY, dtype=torch.int64, device=device)
        self.next = 0

    @torch.no_grad()
    def nearest(self, z: Tensor, owners: Tensor) -> Tensor:
        """The most similar vector of another image, for each row.

        Args:
            z: N×D, need not be normalised.
            owners: int64, N, the images' numbers.

        Returns:
            float32, N×D, unit vectors without gradient; the row itself, normalised, where the
            queue has nothing of another image.
        """
        z = F.normalize(z.detach().float(), dim=1)
        similarity = z @ self.vectors.T
        strangers = (self.owners != NOBODY) & (self.owners != owners[:, None])
        best = similarity.masked_fill(~strangers, float("-inf")).argmax(1)
        return torch.where(strangers.any(1, keepdim=True), self.vectors[best], z)

    @torch.no_grad()
    def enqueue(self, z: Tensor, owners: Tensor) -> None:
        """Add N×D vectors in place of the oldest; if there are more than fit, the last stay."""
        size = len(self.vectors)
        z, owners = z.detach().float()[-size:], owners[-size:]
        places = (self.next + torch.arange(len(z), device=self.vectors.device)) % size
        self.vectors[places] = F.normalize(z, dim=1)
        self.owners[places] = owners
        self.next = (self.next + len(z)) % size

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"vectors": self.vectors, "owners": self.owners, "next": self.next}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        self.vectors.copy_(state["vectors"])
        self.owners.copy_(state["owners"])
        self.next = int(state["next"])
