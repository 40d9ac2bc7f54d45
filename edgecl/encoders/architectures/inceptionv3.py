"""InceptionV3 without its auxiliary classifier, pooled.

Sources: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016
(the blocks of figures 5 to 7 and table 1; batch norm in every layer); the layers have the names
and the paddings of torchvision, so that its weights load. Zabin et al. 2023 compare with it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgecl.encoders.architectures.geometry import require_size
from edgecl.encoders.last_map import LastMap

EMBEDDING_SIZE = 2048
NORM_EPSILON = 1e-3
SMALLEST_SIDE = 75

# (name, channels, kernel). A chain ends in one layer or in several side by side.
LayerSpec = tuple[str, int, tuple[int, int]]
Chain = tuple[tuple[LayerSpec, ...], ...]
ONE, THREE, FIVE = (1, 1), (3, 3), (5, 5)
ROW3, COLUMN3, ROW7, COLUMN7 = (1, 3), (3, 1), (1, 7), (7, 1)


def _chain(*layers: LayerSpec, fork: tuple[LayerSpec, ...] = ()) -> Chain:
    return (*((layer,) for layer in layers), *((fork,) if fork else ()))


def _fine() -> tuple[Chain, ...]:
    """Block with 5×5 beside two 3×3."""
    return (
        _chain(("branch1x1", 64, ONE)),
        _chain(("branch5x5_1", 48, ONE), ("branch5x5_2", 64, FIVE)),
        _chain(
            ("branch3x3dbl_1", 64, ONE),
            ("branch3x3dbl_2", 96, THREE),
            ("branch3x3dbl_3", 96, THREE),
        ),
    )


def _factorised(inner: int) -> tuple[Chain, ...]:
    """Block with 7×7 as rows and columns, once and twice."""
    return (
        _chain(("branch1x1", 192, ONE)),
        _chain(
            ("branch7x7_1", inner, ONE),
            ("branch7x7_2", inner, ROW7),
            ("branch7x7_3", 192, COLUMN7),
        ),
        _chain(
            ("branch7x7dbl_1", inner, ONE),
            ("branch7x7dbl_2", inner, COLUMN7),
            ("branch7x7dbl_3", inner, ROW7),
            ("branch7x7dbl_4", inner, COLUMN7),
            ("branch7x7dbl_5", 192, ROW7),
        ),
    )


def _wide() -> tuple[Chain, ...]:
    """Block with 3×3 as a row and a column side by side."""
    return (
        _chain(("branch1x1", 320, ONE)),
        _chain(
            ("branch3x3_1", 384, ONE),
            fork=(("branch3x3_2a", 384, ROW3), ("branch3x3_2b", 384, COLUMN3)),
        ),
        _chain(
            ("branch3x3dbl_1", 448, ONE),
            ("branch3x3dbl_2", 384, THREE),
            fork=(("branch3x3dbl_3a", 384, ROW3), ("branch3x3dbl_3b", 384, COLUMN3)),
        ),
    )


FIRST_REDUCTION = (
    _chain(("branch3x3", 384, THREE)),
    _chain(
        ("branch3x3dbl_1", 64, ONE), ("branch3x3dbl_2", 96, THREE), ("branch3x3dbl_3", 96, THREE)
    ),
)
SECOND_REDUCTION = (
    _chain(("branch3x3_1", 192, ONE), ("branch3x3_2", 320, THREE)),
    _chain(
        ("branch7x7x3_1", 192, ONE),
        ("branch7x7x3_2", 192, ROW7),
        ("branch7x7x3_3", 192, COLUMN7),
        ("branch7x7x3_4", 192, THREE),
    ),
)
# (name, chains, channels of the pooling branch; 0 for a reduction, whose last layers stride).
BLOCKS: tuple[tuple[str, tuple[Chain, ...], int], ...] = (
    ("Mixed_5b", _fine(), 32),
    ("Mixed_5c", _fine(), 64),
    ("Mixed_5d", _fine(), 64),
    ("Mixed_6a", FIRST_REDUCTION, 0),
    ("Mixed_6b", _factorised(128), 192),
    ("Mixed_6c", _factorised(160), 192),
    ("Mixed_6d", _factorised(160), 192),
    ("Mixed_6e", _factorised(192), 192),
    ("Mixed_7a", SECOND_REDUCTION, 0),
    ("Mixed_7b", _wide(), 192),
    ("Mixed_7c", _wide(), 192),
)


class InceptionV3(nn.Module):
    """Encoder of 21,785,568 weights (with three channels), the pooled maps its embedding.

    Args:
        channels: 1 or 3.
        image_size: (height, width) in pixels, at least 75×75. The weights do not depend on it.

    Raises:
        InputError: the image is too small.
    """

    embedding_size = EMBEDDING_SIZE
    last_map = LastMap("mean", stride=32, first=37)

    def __init__(self, channels: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        require_size("inceptionv3", image_size, SMALLEST_SIDE)
        self.Conv2d_1a_3x3 = Normalised(channels, 32, THREE, stride=2, padded=False)
        self.Conv2d_2a_3x3 = Normalised(32, 32, THREE, padded=False)
        self.Conv2d_2b_3x3 = Normalised(32, 64, THREE)
        self.maxpool1 = nn.MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = Normalised(64, 80, ONE)
        self.Conv2d_4a_3x3 = Normalised(80, 192, THREE, padded=False)
        self.maxpool2 = nn.MaxPool2d(3, stride=2)
        channels = 192
        for name, chains, pooled in BLOCKS:
            block = Mixed(channels, chains, pooled)
            self.add_module(name, block)
            channels = block.out_channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Embed N×C×H×W float images as N×2048."""
        return self.features(x).mean(dim=(2, 3))

    def features(self, x: Tensor) -> Tensor:
        """N×C×H×W float images to N×2048×h×w, about a 32nd of their size."""
        for layer in self.children():  # they stand in the order of the data
            x = layer(x)
        return x


class Mixed(nn.Module):
    """Chains of layers side by side, and a pooling; their maps are concatenated.

    Args:
        channels: of the input.
        chains: each from the input; only the last layers of a reduction have a stride.
        pooled: channels after the average pooling; 0 makes the block a reduction, which halves
            the map and keeps the channels of its max pooling.
    """

    def __init__(self, channels: int, chains: tuple[Chain, ...], pooled: int) -> None:
        super().__init__()
        self._names: list[list[list[str]]] = []
        self.out_channels = pooled or channels
        for chain in chains:
            width = channels
            for number, layers in enumerate(chain):
                last = number == len(chain) - 1
                stride = 2 if last and not pooled else 1
                for name, out_channels, kernel in layers:
                    layer = Normalised(width, out_channels, kernel, stride, padded=stride == 1)
                    self.add_module(name, layer)
                    self.out_channels += out_channels if last else 0
                width = layers[0][1]
            self._names.append([[name for name, _, _ in layers] for layers in chain])
        self._reduces = not pooled
        if pooled:
            self.branch_pool = Normalised(channels, pooled, ONE)

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×`out_channels`×H×W, or to half of H and W."""
        maps: list[Tensor] = []
        for chain in self._names:
            inputs = x
            for (name,) in chain[:-1]:
                inputs = self.get_submodule(name)(inputs)
            maps += [self.get_submodule(name)(inputs) for name in chain[-1]]
        if self._reduces:
            maps.append(F.max_pool2d(x, 3, stride=2))
        else:
            maps.append(self.branch_pool(F.avg_pool2d(x, 3, stride=1, padding=1)))
        return torch.cat(maps, dim=1)


class Normalised(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        kernel: tuple[int, int],
        stride: int = 1,
        *,
        padded: bool = True,
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if padded else (0, 0)
        self.conv = nn.Conv2d(channels, out_channels, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=NORM_EPSILON)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×`out_channels`×H'×W'."""
        y: Tensor = self.relu(self.bn(self.conv(x)))
        return y
