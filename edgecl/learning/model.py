"""The network that is trained and shipped: normalisation, encoder, and one head or the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgecl.encoders import build_encoder


class Backbone(nn.Module):
    """uint8 gray pictures to embeddings; the normalisation is part of the network.

    Args:
        encoder: a key of `ENCODERS`.
        image_size: (height, width) in pixels.
        mean: mean of the training pixels, in gray levels 0 to 255.
        deviation: their standard deviation.
    """

    def __init__(
        self, encoder: str, image_size: tuple[int, int], *, mean: float, deviation: float
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(encoder, channels=1, image_size=image_size)
        self.embedding_size = int(self.encoder.embedding_size)  # type: ignore[arg-type]
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("deviation", torch.tensor(max(deviation, 1.0)))

    def forward(self, pictures: Tensor) -> Tensor:
        """Embed uint8 N×1×H×W pictures as N×D."""
        # In the buffers' type, so that a half-precision export computes in half throughout.
        x = (pictures.to(self.mean.dtype) - self.mean) / self.deviation
        embedding: Tensor = self.encoder(x)
        return embedding


class Projector(nn.Module):
    """Backbone and projection head: Dense 128, ReLU, Dense 128 (Zabin et al. 2023)."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        size = backbone.embedding_size
        self.backbone = backbone
        self.projection = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, size))

    def forward(self, pictures: Tensor) -> Tensor:
        """Project uint8 N×1×H×W pictures to N×D."""
        projected: Tensor = self.projection(self.backbone(pictures))
        return projected


class Classifier(nn.Module):
    """Backbone and a dense layer with one unit per class."""

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.embedding_size, classes)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 N×1×H×W pictures to logits N×C and embeddings N×D."""
        embedding = self.backbone(pictures)
        return self.head(embedding), embedding
