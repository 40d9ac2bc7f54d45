"""Recipes: sets of choices that belong together, by name.

`paper` is that of Zabin et al. 2023. `line` is this project's own for images of one line: tiles at
their own scale or whole images, whichever the labelled images show to be better, a wide projection
head with batch norm, and larger batches. Each choice that a user makes goes before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from edgecl.learning.config import AUTO
from runtime.artifact.tiling import STRETCH

PAPER, LINE = "paper", "line"

RECIPES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        PAPER: MappingProxyType({"geometry": STRETCH, "head": "paper"}),
        LINE: MappingProxyType(
            {
                "geometry": AUTO,
                "image_size": (96, 96),
                "head": "wide",
                "pretrain_batch_size": 64,
                "temperature": 0.2,
                "lr": 1e-3,
            }
        ),
    }
)
"""Fields of `TrainConfig` that differ from their defaults, by recipe."""
