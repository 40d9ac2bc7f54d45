"""ResNet50 as an encoder, flattened as the paper's count demands, or pooled as usual.

Sources: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 (bottleneck, 3-4-6-3;
the stride stands on the 3×3 convolution, as in the version 1.5 in common use); Zabin et al. 2023
name ResNet50 without its layers and publish 49.80 M parameters, which is its body with biases in
the convolutions, flattened at 128×800, and a dense layer of 128: 49,802,240.
"""

from __future__ import annotations

from torch import Tensor, nn

EMBEDDING_SIZE = 128
STEM_CHANNELS = 64
EXPANSION = 4
# (channels inside the bottleneck, blocks) per stage; all but the first halve the map.
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
HALVINGS = 5


class ResNet50(nn.Module):
    """Encoder of 49,802,240 parameters at 128×800 with three channels.

    Args:
        channels: 1 or 3.
        image_size: (height, width) in pixels; every layer is padded, so any will do. The
            dense layer depends on it.
        pooled: average each map before the dense layer, which then does not depend on the size
            (23,849,984 parameters with three channels).
    """

    embedding_size = EMBEDDING_SIZE

    def __init__(self, channels: int, image_size: tuple[int, int], *, pooled: bool = False) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *_normalised(channels, STEM_CHANNELS, kernel=7, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        blocks: list[nn.Module] = []
        channels = STEM_CHANNELS
        for number, (inner, count) in enumerate(STAGES):
            for block in range(count):
                stride = 2 if number and not block else 1
                blocks.append(Bottleneck(channels, inner, stride))
                channels = EXPANSION * inner
        self.blocks = nn.Sequential(*blocks)
        height, width = (-(-side // 2**HALVINGS) for side in image_size)
        self.pooled = pooled
        self.dense = nn.Linear(channels if pooled else channels * height * width, EMBEDDING_SIZE)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Embed N×C×H×W float pictures as N×128."""
        features: Tensor = self.blocks(self.stem(x))
        flat = features.mean(dim=(2, 3)) if self.pooled else features.flatten(1)
        embedding: Tensor = self.dense(flat)
        return embedding


class PooledResNet50(ResNet50):
    """`ResNet50` with global average pooling, the usual form."""

    def __init__(self, channels: int, image_size: tuple[int, int]) -> None:
        super().__init__(channels, image_size, pooled=True)


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 beside a straight or projected path."""

    def __init__(self, channels: int, inner: int, stride: int) -> None:
        super().__init__()
        outer = EXPANSION * inner
        self.branch = nn.Sequential(
            *_normalised(channels, inner, kernel=1),
            nn.ReLU(),
            *_normalised(inner, inner, kernel=3, stride=stride),
            nn.ReLU(),
            *_normalised(inner, outer, kernel=1),
        )
        self.straight: nn.Module = nn.Identity()
        if stride != 1 or channels != outer:
            self.straight = nn.Sequential(*_normalised(channels, outer, kernel=1, stride=stride))
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×4·inner×⌈H/stride⌉×⌈W/stride⌉."""
        summed: Tensor = self.relu(self.straight(x) + self.branch(x))
        return summed


def _normalised(
    channels: int, out_channels: int, *, kernel: int, stride: int = 1
) -> tuple[nn.Module, nn.Module]:
    # The biases do nothing before a batch norm; they are in the paper's count.
    convolution = nn.Conv2d(channels, out_channels, kernel, stride=stride, padding=kernel // 2)
    return convolution, nn.BatchNorm2d(out_channels)
