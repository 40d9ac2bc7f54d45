"""A small vision transformer with shifted patches and locality self-attention.

Sources: Lee et al., "Vision Transformer for Small-Size Datasets", 2021 (both parts); the keras-io
example of it (pre-norm layers, GELU after both dense layers, learnt positions, a head of two dense
layers on all flattened tokens); Zabin et al. 2023 compare with it and publish 13,970,380
parameters. Those are the example's layers at 224×224 gray with patches of 16, six layers in place
of eight, a head of 1024 and 512 in place of 2048 and 1024, and six classes. The last dense layer,
to the classes, is the classifier's; the rest is this encoder.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgecl.encoders.architectures.geometry import require_size

EMBEDDING_SIZE = 512
PATCH = 16
SHIFT = PATCH // 2
TOKEN = 64
HEADS = 4
HEAD_SIZE = 64
LAYERS = 6
HIDDEN = 128
HEAD_HIDDEN = 1024
DROPOUT = 0.1
HEAD_DROPOUT = 0.5
NORM_EPSILON = 1e-6
POSITION_DEVIATION = 0.02


class ViTSmall(nn.Module):
    """Encoder of 13,967,302 parameters at 224×224 gray; 13,970,380 with a head of six classes.

    Args:
        channels: 1 or 3.
        image_size: (height, width) in pixels, at least 16×16; what remains beyond a multiple of
            16 at the right and at the bottom is not looked at. Positions and head depend on it.

    Raises:
        InputError: the image is too small.
    """

    embedding_size = EMBEDDING_SIZE

    def __init__(self, channels: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        require_size("vit-small", image_size, PATCH)
        height, width = image_size
        tokens = (height // PATCH) * (width // PATCH)
        self.patches = ShiftedPatches(channels)
        self.positions = nn.Parameter(torch.empty(tokens, TOKEN))
        nn.init.normal_(self.positions, std=POSITION_DEVIATION)
        self.layers = nn.Sequential(*(TransformerLayer() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(TOKEN, eps=NORM_EPSILON)
        self.head = nn.Sequential(
            nn.Dropout(HEAD_DROPOUT),
            nn.Linear(tokens * TOKEN, HEAD_HIDDEN),
            nn.GELU(),
            nn.Dropout(HEAD_DROPOUT),
            nn.Linear(HEAD_HIDDEN, EMBEDDING_SIZE),
            nn.GELU(),
            nn.Dropout(HEAD_DROPOUT),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Embed N×C×H×W float images as N×512."""
        tokens = self.norm(self.layers(self.patches(x) + self.positions))
        embedding: Tensor = self.head(tokens.flatten(1))
        return embedding


class ShiftedPatches(nn.Module):
    """Patches of the image and of its copies, shifted by half a patch to the four corners."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        size = 5 * channels * PATCH**2
        self.norm = nn.LayerNorm(size, eps=NORM_EPSILON)
        self.dense = nn.Linear(size, TOKEN)

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to N×T×64 with T = ⌊H/16⌋·⌊W/16⌋."""
        height, width = x.shape[2:]
        padded = F.pad(x, (SHIFT, SHIFT, SHIFT, SHIFT))
        corners = [
            padded[:, :, top : top + height, left : left + width]
            for top, left in ((2 * SHIFT, 2 * SHIFT), (0, 2 * SHIFT), (2 * SHIFT, 0), (0, 0))
        ]
        rows, columns = height // PATCH, width // PATCH
        stacked = torch.cat((x, *corners), dim=1)[:, :, : rows * PATCH, : columns * PATCH]
        pieces = stacked.reshape(-1, stacked.shape[1], rows, PATCH, columns, PATCH)
        # N, channel, row, y, column, x → N, row, column, y, x, channel
        tokens = pieces.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
        projected: Tensor = self.dense(self.norm(tokens))
        return projected


class LocalAttention(nn.Module):
    """Self-attention with a learnt temperature, in which no token looks at itself."""

    def __init__(self) -> None:
        super().__init__()
        size = HEADS * HEAD_SIZE
        self.query = nn.Linear(TOKEN, size)
        self.key = nn.Linear(TOKEN, size)
        self.value = nn.Linear(TOKEN, size)
        self.out = nn.Linear(size, TOKEN)
        self.temperature = nn.Parameter(torch.tensor(math.sqrt(HEAD_SIZE)))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """N×T×64 to the same shape."""
        query, key, value = (
            layer(x).unflatten(2, (HEADS, HEAD_SIZE)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = (query / self.temperature) @ key.transpose(2, 3)
        itself = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        # The lowest number rather than -∞, with which a lone token would have no weights at all.
        scores = scores.masked_fill(itself, torch.finfo(scores.dtype).min)
        mixed = self.dropout(scores.softmax(dim=3)) @ value
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def product_macs(self, tokens: int) -> int:
        """Multiply-accumulates of both products of one image, which no dense layer shows."""
        return 2 * tokens * tokens * HEADS * HEAD_SIZE


class TransformerLayer(nn.Module):
    """Attention, then two dense layers, each on a normalised input and added to it."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(TOKEN, eps=NORM_EPSILON), LocalAttention())
        self.dense = nn.Sequential(
            nn.LayerNorm(TOKEN, eps=NORM_EPSILON),
            nn.Linear(TOKEN, HIDDEN),
            nn.GELU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, TOKEN),
            nn.GELU(),
            nn.Dropout(DROPOUT),
        )

    def forward(self, x: Tensor) -> Tensor:
        """N×T×64 to the same shape."""
        x = x + self.attention(x)
        summed: Tensor = x + self.dense(x)
        return summed
