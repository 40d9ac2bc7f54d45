"""ShuffleNet v2 units in the paper's short arrangement.

Sources: Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design",
ECCV 2018 (the units); Zabin et al. 2023 (the arrangement: two stages of one down and one basic
unit, 1×1 convolution, global max pooling, dense 128). The published code of the latter has no
batch norm and no ReLU inside its units, which makes them linear; both are restored here, as its
text says. Its convolutions carry biases and its stem and head no batch norm; that is kept, so
that the parameters are its 413,764 (402,996 without batch norm).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgecl.encoders.architectures.geometry import require_size
from edgecl.encoders.architectures.strided_depthwise import StridedDepthwise
from edgecl.encoders.fused import FusedSequential, interleave
from edgecl.encoders.last_map import LastMap

EMBEDDING_SIZE = 128
STEM_CHANNELS = 24
# Of each branch of a down unit; the stage's maps have twice as many.
BRANCH_CHANNELS = (116, 232)
HEAD_CHANNELS = 128
# Two halvings in the stem, one per stage: the last map still has one row and one column.
SMALLEST_SIDE = 16


class ShuffleNet(nn.Module):
    """Encoder of 413,764 parameters (with three channels).

    Args:
        channels: 1 or 3.
        image_size: (height, width) in pixels, at least 16×16. The weights do not depend on it.

    Raises:
        InputError: the image is too small.
    """

    embedding_size = EMBEDDING_SIZE
    last_map = LastMap("max", stride=16, first=0)

    def __init__(self, channels: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        require_size("shufflenet", image_size, SMALLEST_SIDE)
        first, second = BRANCH_CHANNELS
        self.stem = FusedSequential(
            nn.Conv2d(channels, STEM_CHANNELS, 3, stride=2, padding=1, bias=False),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.stages = nn.Sequential(
            DownUnit(STEM_CHANNELS, first),
            BasicUnit(2 * first),
            DownUnit(2 * first, second),
            BasicUnit(2 * second),
        )
        self.head = nn.Sequential(nn.Conv2d(2 * second, HEAD_CHANNELS, 1), nn.ReLU())
        self.dense = nn.Linear(HEAD_CHANNELS, EMBEDDING_SIZE)

    def forward(self, x: Tensor) -> Tensor:
        """Embed N×C×H×W float images as N×128."""
        embedding: Tensor = self.dense(self.features(x).amax(dim=(2, 3)))
        return embedding

    def features(self, x: Tensor) -> Tensor:
        """N×C×H×W float images to N×128×⌈H/16⌉×⌈W/16⌉."""
        mapped: Tensor = self.head(self.stages(self.stem(x)))
        return mapped


class BasicUnit(nn.Module):
    """Split the channels, transform one half, concatenate, shuffle (v2 paper, figure 3c)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = FusedSequential(
            *_pointwise(half, half), *_depthwise(half, stride=1), *_pointwise(half, half)
        )

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to the same shape."""
        kept, transformed = x.chunk(2, dim=1)
        return join_shuffled(kept, self.branch(transformed), training=self.training)


class DownUnit(nn.Module):
    """Halve the map, two branches of `branch` channels each (v2 paper, figure 3d)."""

    def __init__(self, channels: int, branch: int) -> None:
        super().__init__()
        self.left = FusedSequential(*_depthwise(channels, stride=2), *_pointwise(channels, branch))
        self.right = FusedSequential(
            *_pointwise(channels, branch),
            *_depthwise(branch, stride=2),
            *_pointwise(branch, branch),
        )

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×2·branch×⌈H/2⌉×⌈W/2⌉."""
        return join_shuffled(self.left(x), self.right(x), training=self.training)


def join_shuffled(left: Tensor, right: Tensor, *, training: bool) -> Tensor:
    """Concatenate two N×C×H×W and shuffle their channels; N×2C×H×W."""
    interleaved = interleave(left, right) if training else None
    if interleaved is not None:
        return interleaved
    return shuffle_channels(torch.cat((left, right), dim=1))


def shuffle_channels(x: Tensor, groups: int = 2) -> Tensor:
    """Interleave the channels of `groups` equal groups; N×C×H×W to the same shape."""
    n, c, h, w = x.shape
    if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
        # Stay there: the other form would give NCHW back and slow every layer that follows.
        last = x.permute(0, 2, 3, 1).reshape(n, h, w, groups, c // groups)
        return last.transpose(3, 4).reshape(n, h, w, c).permute(0, 3, 1, 2)
    return x.reshape(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


class DepthwiseConv(nn.Conv2d):
    """A depthwise convolution whose gradient is not slow in bf16 on the CPU: `StridedDepthwise`."""

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×C×H'×W', of the same type."""
        strided = self.stride == (2, 2)
        if strided and x.dtype == torch.bfloat16 and x.device.type == "cpu" and self.training:
            assert self.bias is not None
            with torch.autocast("cpu", enabled=False):
                weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
                result: Tensor = StridedDepthwise.apply(x, weight, bias)  # type: ignore[no-untyped-call]
                return result
        return super().forward(x)


def _pointwise(channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(channels, out_channels, 1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def _depthwise(channels: int, *, stride: int) -> tuple[nn.Module, ...]:
    return (
        DepthwiseConv(channels, channels, 3, stride=stride, padding=1, groups=channels),
        nn.BatchNorm2d(channels),
    )
