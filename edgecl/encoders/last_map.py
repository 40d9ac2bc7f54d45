"""The last feature map of an encoder, where places of the image can still be told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runtime.artifact.heat_maps import Cells

Pooling = Literal["mean", "max", "none"]


@dataclass(frozen=True)
class LastMap:
    """Way from the last feature map of an encoder to its embedding.

    An encoder that has a `last_map` has `features`, which give the map, N×K×h×w, and its embedding
    is that map, pooled, through its layers `dense`, if it has any. Those are linear or ReLU.

    Args:
        pooling: over all places; `none` where the map is flattened.
        stride: pixels of the image from one cell's centre to the next one's.
        first: centre of the first cell, in pixels; 0 is the middle of the first pixel.
    """

    pooling: Pooling
    stride: float
    first: float

    @property
    def cells(self) -> Cells:
        """Places of the cells in the image."""
        return Cells(self.stride, self.first)
