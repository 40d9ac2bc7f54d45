"""The paper's Skip-ConvNet.

Source: Zabin et al. 2023: two plain convolutions, one pooling, two residual blocks whose sum has no
ReLU after it, one convolution, global average pooling, and two dense layers with a dropout of
one half between them. No normalisation; the parameters do not depend on the image.
"""

from __future__ import annotations

from torch import Tensor, nn

from edgecl.encoders.architectures.geometry import require_size
from edgecl.encoders.architectures.initialisation import begin_like_keras
from edgecl.encoders.last_map import LastMap

EMBEDDING_SIZE = 128
CHANNELS = 128
BLOCKS = 2
DROPOUT = 0.5
# Two unpadded convolutions take 4 rows, the pooling leaves a third, the last convolution needs 3.
SMALLEST_SIDE = 13


class SkipConvNet(nn.Module):
    """Encoder of 922,112 parameters (with three channels).

    Args:
        channels: 1 or 3.
        image_size: (height, width) in pixels, at least 13×13. The weights do not depend on it.

    Raises:
        InputError: the image is too small.
    """

    embedding_size = EMBEDDING_SIZE
    last_map = LastMap("mean", stride=3, first=6)

    def __init__(self, channels: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        require_size("skipconvnet", image_size, SMALLEST_SIDE)
        self.stem = nn.Sequential(
            nn.Conv2d(channels, CHANNELS, 3),
            nn.ReLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=3),
        )
        self.blocks = nn.Sequential(*(SkipBlock(CHANNELS) for _ in range(BLOCKS)))
        self.last = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 3), nn.ReLU())
        self.dense = nn.Sequential(
            nn.Linear(CHANNELS, EMBEDDING_SIZE),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(EMBEDDING_SIZE, EMBEDDING_SIZE),
        )
        begin_like_keras(self)

    def forward(self, x: Tensor) -> Tensor:
        """Embed N×C×H×W float images as N×128."""
        embedding: Tensor = self.dense(self.features(x).mean(dim=(2, 3)))
        return embedding

    def features(self, x: Tensor) -> Tensor:
        """N×C×H×W float images to N×128×h×w, a third of their size, less the borders."""
        mapped: Tensor = self.last(self.blocks(self.stem(x)))
        return mapped


class SkipBlock(nn.Module):
    """Two convolutions beside a straight path; the sum is not rectified."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to the same shape."""
        return x + self.branch(x)  # type: ignore[no-any-return]
