"""Why tiles are run as images of their own, and not cut out of one pass over the whole frame.

docs/architecture.md says so; here it is measured, on a texture whose light falls off to one side.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgecl.learning.model import Backbone, standardise
from runtime.benchmark.frames import draw_frames

TILE, STRIDE = 96, 16
CELLS = TILE // STRIDE
"""Cells of the last map along one side of a tile."""


@pytest.fixture(scope="module")
def frame() -> torch.Tensor:
    """3×3 tiles, uint8 1×1×288×288, twice as bright at the right as at the left."""
    (surface,) = draw_frames(3 * TILE, 3 * TILE, seed=0, count=1)
    light = np.linspace(0.5, 1, 3 * TILE)
    return torch.from_numpy((surface * light).astype(np.uint8))[None, None]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    torch.manual_seed(0)
    return Backbone("shufflenet", (TILE, TILE)).eval()


def last_map(backbone: Backbone, pixels: torch.Tensor) -> torch.Tensor:
    """The last map before the pooling, of pixels that are standardised already."""
    encoder = backbone.encoder
    with torch.no_grad():
        found: torch.Tensor = encoder.head(encoder.stages(encoder.stem(pixels)))  # type: ignore[operator]
    return found


def middle(x: torch.Tensor, size: int) -> torch.Tensor:
    """The middle one of 3×3 parts of `size`×`size`."""
    return x[..., size : 2 * size, size : 2 * size]


def apart(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Largest difference of each cell, as a share of the map's spread."""
    return (one - other).abs().amax(dim=(0, 1)) / other.std()


def test_a_tile_is_standardised_by_other_numbers_than_its_frame(frame):
    of_frame, of_tile = middle(standardise(frame), TILE), standardise(middle(frame, TILE))
    assert (of_frame - of_tile).abs().mean() > 0.1  # of a standard deviation


def test_a_tiles_border_reaches_most_cells_of_its_last_map(frame, backbone):
    """Whatever the standardisation: here the tile is cut out of the standardised frame."""
    pixels = standardise(frame)
    from_frame = middle(last_map(backbone, pixels), CELLS)
    from_tile = last_map(backbone, middle(pixels, TILE))
    assert from_frame.shape == from_tile.shape
    same = apart(from_frame, from_tile) < 1e-4
    assert 1 <= int(same.sum()) <= 4  # of 36: those that see no pixel beyond the tile
    assert not same[0].any()
    assert not same[:, -1].any()


def test_one_pass_over_the_frame_gives_another_answer(frame, backbone):
    from_frame = middle(last_map(backbone, standardise(frame)), CELLS)
    with torch.no_grad():
        pooled = from_frame.amax(dim=(2, 3))
        one_pass = backbone.encoder.dense(pooled)
        alone = backbone(middle(frame, TILE))
    difference = float((one_pass - alone).norm() / alone.norm())
    # Reordered sums of one and the same network change it by millionths.
    assert difference > 0.01


def test_the_convnets_dense_layer_sees_one_size_only(frame):
    torch.manual_seed(0)
    backbone = Backbone("convnet", (TILE, TILE)).eval()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        backbone(frame)
