"""ImageRows of a set: at the model's size, or at their own scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from edgecl.data.pixels.store import Selection, gather, join
from edgecl.data.pixels.tiled import TiledImages
from runtime.artifact.contract import InputContract

Stored = NDArray[np.uint8] | TiledImages
"""A whole set: uint8 N×H×W, or images of any size."""

ImageRows = Stored | Selection
"""A set or rows of several."""


def select(*parts: tuple[Stored, NDArray[np.int64]]) -> ImageRows:
    """Rows of one or more sets of one geometry.

    Arrays are copied into one, or left where they are if one is on disk; images of any size are
    never copied.
    """
    first = parts[0][0]
    if isinstance(first, TiledImages):
        return TiledImages([images[row] for images, rows in parts for row in rows], first.tiling)
    return gather(*((cast("NDArray[np.uint8]", images), rows) for images, rows in parts))


def joined(sets: Sequence[Stored], contract: InputContract) -> Stored:
    """Return the images of all sets, one set after the other.

    Raises:
        InputError: the disk has no room.
    """
    if contract.tiling is not None:
        return TiledImages([image for images in sets for image in images], contract.tiling)
    if not sets:
        return np.empty((0, *contract.shape), np.uint8)
    return join([cast("NDArray[np.uint8]", images) for images in sets])
