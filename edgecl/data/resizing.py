"""Image sets at the model's size or scale, made of one that was read at its own scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgecl.data.dataset import ImageSet
from edgecl.data.pixels.store import new_store
from edgecl.data.pixels.tiled import TiledImages, TiledStore
from edgecl.data.reading import refuse_odd_sizes
from runtime.artifact.contract import InputContract
from runtime.image.preprocess import Preprocessor
from runtime.image.tiles import to_scale
from runtime.image.view import FrameView

WHOLE = FrameView()
"""All of an image: what was read is cut and corrected already."""


def resized(own: ImageSet, contract: InputContract, *, strict: bool, where: str) -> ImageSet:
    """Return a set as reading it with a contract gives it, pixel by pixel.

    Args:
        own: read through the same view, in tiles at scale 1.
        contract: the size, or the tiles, that its images are brought to.
        strict: refuse odd sizes where images are stretched.
        where: name of the set, for the error.

    Raises:
        InputError: (strict) images differ in size, or the disk has no room.
    """
    if contract.tiling is None:
        refuse_odd_sizes(where, own.sizes, strict=strict)
        stretch = Preprocessor(contract, view=WHOLE)
        room = new_store((len(own), *contract.shape))
        for image, place in zip(own.images, room, strict=True):
            stretch(image, place)
        return replace(own, images=room)
    if contract.tiling.scale == 1:
        return replace(own, images=TiledImages(list(own.images), contract.tiling))
    store = TiledStore()
    for image in own.images:
        store.add(to_scale(np.asarray(image), contract.tiling.scale))
    return replace(own, images=store.images(contract.tiling))
