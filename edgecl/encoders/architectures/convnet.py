"""The paper's ConvNet.

Source: Zabin et al. 2023, the encoder of the keras-io SimCLR example widened to 128 channels:
four 3×3 convolutions of stride 2 without padding, flattened into a dense layer. No
normalisation, no pooling; nearly all its parameters are in the dense layer, so the count grows
with the image.
"""

from __future__ import annotations

from torch import Tensor, nn

from edgecl.encoders.architectures.geometry import after_valid_conv, require_size
from edgecl.encoders.architectures.initialisation import begin_like_keras
from edgecl.encoders.last_map import LastMap

EMBEDDING_SIZE = 128
CHANNELS = 128
LAYERS = 4
SMALLEST_SIDE = 31


class ConvNet(nn.Module):
    """Encoder of 6,066,176 parameters at 128×800 with three channels.

    Args:
        channels: 1 or 3.
        image_size: (height, width) in pixels, at least 31×31. The dense layer depends on it.

    Raises:
        InputError: the image is too small.
    """

    embedding_size = EMBEDDING_SIZE
    last_map = LastMap("none", stride=16, first=15)

    def __init__(self, channels: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        require_size("convnet", image_size, SMALLEST_SIDE)
        layers: list[nn.Module] = []
        height, width = image_size
        for _ in range(LAYERS):
            layers += [nn.Conv2d(channels, CHANNELS, 3, stride=2), nn.ReLU()]
            channels = CHANNELS
            height = after_valid_conv(height, kernel=3, stride=2)
            width = after_valid_conv(width, kernel=3, stride=2)
        self.features = nn.Sequential(*layers)
        self.dense = nn.Linear(CHANNELS * height * width, EMBEDDING_SIZE)
        begin_like_keras(self)

    def forward(self, x: Tensor) -> Tensor:
        """Embed N×C×H×W float images as N×128."""
        embedding: Tensor = self.dense(self.features(x).flatten(1))
        return embedding
