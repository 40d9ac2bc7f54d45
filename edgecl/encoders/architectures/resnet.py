"""ResNets as encoders: 50 flattened as the paper's count demands or pooled, 101 and 152 pooled.

Sources: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 (bottlenecks; the
stride stands on the 3×3 convolution, as in the version 1.5 in common use, and the layers have the
names of torchvision, so that its weights load); Zabin et al. 2023 name ResNet50 without its layers
and publish 49.80 M parameters, which is its body with biases in the convolutions, flattened at
128×800, and a dense layer of 128: 49,802,240. Their comparisons use ResNet152, and ResNet101 as a
source of features for a support vector machine.
"""

from __future__ import annotations

from torch import Tensor, nn

from edgecl.encoders.last_map import LastMap

EMBEDDING_SIZE = 128
STEM_CHANNELS = 64
EXPANSION = 4
# Channels inside the bottleneck per stage; all but the first halve the map.
INNER_CHANNELS = (64, 128, 256, 512)
FEATURES = EXPANSION * INNER_CHANNELS[-1]
# Blocks per stage.
DEPTH_50 = (3, 4, 6, 3)
DEPTH_101 = (3, 4, 23, 3)
DEPTH_152 = (3, 8, 36, 3)
HALVINGS = 5


class ResNetBody(nn.Module):
    """Layers of a ResNet before the pooling.

    Args:
        channels: 1 or 3.
        blocks: per stage.
        bias: of the convolutions; it does nothing before a batch norm, but counts.
    """

    def __init__(self, channels: int, blocks: tuple[int, ...], *, bias: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, STEM_CHANNELS, 7, stride=2, padding=3, bias=bias)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1, self.layer2, self.layer3, self.layer4 = _stages(blocks, bias=bias)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    # Loaded batch norm statistics know of no bias.
                    nn.init.zeros_(module.bias)

    def features(self, x: Tensor) -> Tensor:
        """N×C×H×W float images to N×2048×⌈H/32⌉×⌈W/32⌉."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        mapped: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return mapped


class ResNet50(ResNetBody):
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
        super().__init__(channels, DEPTH_50, bias=True)
        height, width = (-(-side // 2**HALVINGS) for side in image_size)
        self.pooled = pooled
        self.last_map = LastMap("mean" if pooled else "none", stride=2**HALVINGS, first=0)
        self.dense = nn.Linear(FEATURES if pooled else FEATURES * height * width, EMBEDDING_SIZE)

    def forward(self, x: Tensor) -> Tensor:
        """Embed N×C×H×W float images as N×128."""
        features = self.features(x)
        flat = features.mean(dim=(2, 3)) if self.pooled else features.flatten(1)
        embedding: Tensor = self.dense(flat)
        return embedding


class PooledResNet50(ResNet50):
    """`ResNet50` with global average pooling, the usual form."""

    def __init__(self, channels: int, image_size: tuple[int, int]) -> None:
        super().__init__(channels, image_size, pooled=True)


class ResNet101(ResNetBody):
    """Encoder of 42,500,160 weights (with three channels), the pooled maps its embedding.

    Args:
        channels: 1 or 3.
        image_size: (height, width) in pixels; any will do.
    """

    embedding_size = FEATURES
    last_map = LastMap("mean", stride=2**HALVINGS, first=0)
    blocks = DEPTH_101

    def __init__(self, channels: int, image_size: tuple[int, int]) -> None:
        super().__init__(channels, self.blocks, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Embed N×C×H×W float images as N×2048."""
        return self.features(x).mean(dim=(2, 3))


class ResNet152(ResNet101):
    """`ResNet101` with 152 layers: 58,143,808 weights (with three channels)."""

    blocks = DEPTH_152


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 beside a straight or projected path."""

    def __init__(self, channels: int, inner: int, stride: int, *, bias: bool) -> None:
        super().__init__()
        outer = EXPANSION * inner
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=bias)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outer, 1, bias=bias)
        self.bn3 = nn.BatchNorm2d(outer)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels != outer:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, outer, 1, stride=stride, bias=bias), nn.BatchNorm2d(outer)
            )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×4·inner×⌈H/stride⌉×⌈W/stride⌉."""
        branch = self.relu(self.bn1(self.conv1(x)))
        branch = self.relu(self.bn2(self.conv2(branch)))
        branch = self.bn3(self.conv3(branch))
        summed: Tensor = self.relu(self.downsample(x) + branch)
        return summed


def _stages(blocks: tuple[int, ...], *, bias: bool) -> list[nn.Sequential]:
    stages, channels = [], STEM_CHANNELS
    for number, (inner, count) in enumerate(zip(INNER_CHANNELS, blocks, strict=True)):
        layers: list[nn.Module] = []
        for block in range(count):
            stride = 2 if number and not block else 1
            layers.append(Bottleneck(channels, inner, stride, bias=bias))
            channels = EXPANSION * inner
        stages.append(nn.Sequential(*layers))
    return stages
