"""CNN-LSTM: convolutions, whose columns an LSTM reads from left to right.

Source: Zabin et al. 2023 compare with a CNN-LSTM of 1.2 M parameters and give no layers. These are
inferred: four convolutions with batch norm and pooling, the mean over the rows, one LSTM over the
columns, and a dense layer of 128 on its last state, with widths that come to 1.17 M.
"""

from __future__ import annotations

from torch import Tensor, nn

from edgecl.encoders.architectures.geometry import require_size
from edgecl.encoders.fused import FusedSequential

EMBEDDING_SIZE = 128
CHANNELS = (32, 64, 128, 256)
HIDDEN = 320
# Every convolution is followed by a halving: the last map still has one row and one column.
SMALLEST_SIDE = 16


class CNNLSTM(nn.Module):
    """Encoder of 1,171,264 parameters (with three channels).

    Args:
        channels: 1 or 3.
        image_size: (height, width) in pixels, at least 16×16. The weights do not depend on it.

    Raises:
        InputError: the image is too small.
    """

    embedding_size = EMBEDDING_SIZE

    def __init__(self, channels: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        require_size("cnn-lstm", image_size, SMALLEST_SIDE)
        layers: list[nn.Module] = []
        for width in CHANNELS:
            layers += [
                nn.Conv2d(channels, width, 3, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            channels = width
        self.features = FusedSequential(*layers)
        self.lstm = nn.LSTM(channels, HIDDEN, batch_first=True)
        self.dense = nn.Linear(HIDDEN, EMBEDDING_SIZE)

    def forward(self, x: Tensor) -> Tensor:
        """Embed N×C×H×W float images as N×128."""
        columns = self.features(x).mean(dim=2).transpose(1, 2)
        states, _ = self.lstm(columns)
        embedding: Tensor = self.dense(states[:, -1])
        return embedding
