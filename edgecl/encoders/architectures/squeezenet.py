"""SqueezeNet 1.1 at three eighths of its width.

Sources: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB
model size", 2016 (the fire module; version 1.1 of its authors' release, for the strides); Zabin
et al. 2023 name it without its layers and publish 0.13 M parameters. Their text says nine fire
modules, counting loosely: version 1.1 has eight, and eight at 0.375 of the width with a dense layer
of 128 come to 127,400.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgecl.encoders.architectures.geometry import require_size
from edgecl.encoders.last_map import LastMap

EMBEDDING_SIZE = 128
# Of version 1.1, times 0.375.
STEM_CHANNELS = 24
# (squeeze, expand of each kind) per fire module; a pooling stands before each group.
FIRE_GROUPS = (
    ((6, 24), (6, 24)),
    ((12, 48), (12, 48)),
    ((18, 72), (18, 72), (24, 96), (24, 96)),
)
SMALLEST_SIDE = 17


class SqueezeNet(nn.Module):
    """Encoder of 127,400 parameters (with three channels).

    Args:
        channels: 1 or 3.
        image_size: (height, width) in pixels, at least 17×17. The weights do not depend on it.

    Raises:
        InputError: the image is too small.
    """

    embedding_size = EMBEDDING_SIZE
    last_map = LastMap("mean", stride=16, first=15)

    def __init__(self, channels: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        require_size("squeezenet", image_size, SMALLEST_SIDE)
        layers: list[nn.Module] = [nn.Conv2d(channels, STEM_CHANNELS, 3, stride=2), nn.ReLU()]
        channels = STEM_CHANNELS
        for group in FIRE_GROUPS:
            layers.append(nn.MaxPool2d(3, stride=2, ceil_mode=True))
            for squeeze, expand in group:
                layers.append(Fire(channels, squeeze, expand))
                channels = 2 * expand
        self.features = nn.Sequential(*layers)
        self.dense = nn.Linear(channels, EMBEDDING_SIZE)

    def forward(self, x: Tensor) -> Tensor:
        """Embed N×C×H×W float images as N×128."""
        embedding: Tensor = self.dense(self.features(x).mean(dim=(2, 3)))
        return embedding


class Fire(nn.Module):
    """Squeeze to few channels, expand by 1×1 and by 3×3, side by side."""

    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(nn.Conv2d(channels, squeeze, 1), nn.ReLU())
        self.expand1 = nn.Sequential(nn.Conv2d(squeeze, expand, 1), nn.ReLU())
        self.expand3 = nn.Sequential(nn.Conv2d(squeeze, expand, 3, padding=1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×2·expand×H×W."""
        squeezed = self.squeeze(x)
        return torch.cat((self.expand1(squeezed), self.expand3(squeezed)), dim=1)
