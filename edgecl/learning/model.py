"""The network that is trained and shipped: normalisation, encoder, and one head or the other."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgecl.encoders import build_encoder

# Standard deviations below about this many gray levels are sensor noise, not to be blown up.
NOISE_VARIANCE = 16.0


class Backbone(nn.Module):
    """uint8 gray images to embeddings; the normalisation is part of the network.

    Every image is brought to mean 0 and deviation 1 by its own pixels: what the lamp, the
    exposure and the gain of a camera change is gone before the first convolution, and nothing of
    the training part has to be carried along.

    Args:
        encoder: a key of `ENCODERS`.
        image_size: (height, width) in pixels.
        channels: that the encoder sees: 1, or 3 for copies of the gray image (Zabin et al.).
    """

    def __init__(self, encoder: str, image_size: tuple[int, int], channels: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = build_encoder(encoder, channels=channels, image_size=image_size)
        self.embedding_size = int(self.encoder.embedding_size)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """Embed uint8 N×1×H×W images as N×D."""
        embedding: Tensor = self.encoder(self.encoder_input(images))
        return embedding

    def encoder_input(self, images: Tensor) -> Tensor:
        """Turn uint8 N×1×H×W images into what the encoder sees: N×`channels`×H×W."""
        # The weights' type comes after: squares of gray levels, summed, overflow half precision.
        dtype = next(self.encoder.parameters()).dtype
        gray = standardise(images).to(dtype)
        return gray if self.channels == 1 else gray.expand(-1, self.channels, -1, -1)


def standardise(images: Tensor) -> Tensor:
    """uint8 N×1×H×W to float32 N×1×H×W: (x - mean) / sqrt(variance + 16), each by itself."""
    x = images.to(torch.float32)
    centred = x - x.mean(dim=(2, 3), keepdim=True)
    variance = (centred * centred).mean(dim=(2, 3), keepdim=True)
    return centred / torch.sqrt(variance + NOISE_VARIANCE)


WIDE = 512
"""Units of the hidden layer of the `wide` projection head."""


class Projector(nn.Module):
    """Backbone and projection head, which maps D numbers to D.

    Args:
        head: `paper` for Dense D, ReLU, Dense D (Zabin et al. 2023, with D = 128); `wide` for a
            hidden layer of 512 units with batch norm (Chen et al., "Big Self-Supervised Models
            are Strong Semi-Supervised Learners", NeurIPS 2020).
    """

    def __init__(self, backbone: Backbone, head: str = "paper") -> None:
        super().__init__()
        size = backbone.embedding_size
        self.backbone = backbone
        if head == "wide":
            self.projection = nn.Sequential(
                nn.Linear(size, WIDE, bias=False),
                # As a map of one pixel, so that several ranks share its statistics like all others.
                nn.Unflatten(1, (WIDE, 1, 1)),
                nn.BatchNorm2d(WIDE),
                nn.Flatten(),
                nn.ReLU(),
                nn.Linear(WIDE, size),
            )
        else:
            self.projection = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, size))

    def forward(self, images: Tensor) -> Tensor:
        """Project uint8 N×1×H×W images to N×D."""
        projected: Tensor = self.projection(self.backbone(images))
        return projected


class Classifier(nn.Module):
    """Backbone and a dense layer with one unit per class."""

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.embedding_size, classes)

    def set_head(self, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """Take over a dense layer that was fitted elsewhere, C×D and C."""
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weight))
            self.head.bias.copy_(torch.from_numpy(bias))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 N×1×H×W images to logits N×C and embeddings N×D."""
        embedding = self.backbone(images)
        return self.head(embedding), embedding
