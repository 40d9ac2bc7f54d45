"""Sizes of a run's images: what a reader of the results must know of them."""

from __future__ import annotations

from edgecl.data.dataset import ImageSet
from edgecl.data.pixels.tiled import TiledImages
from runtime.errors import InputError


def sizes_notes(dataset: ImageSet) -> list[str]:
    """Describe labelled images of other sizes than most, and those smaller than a tile.

    Raises:
        InputError: all of them are smaller.
    """
    if isinstance(dataset.images, TiledImages):
        return tile_notes(dataset.images)
    if len(dataset.sizes) <= 1:
        return []
    (usual, _), *odd = sorted(dataset.sizes.items(), key=lambda item: -item[1])
    count = sum(number for _, number in odd)
    return [
        f"{count} image(s) differ in size from the usual {usual[0]}x{usual[1]} and were "
        "stretched to the same size"
    ]


def scale_notes(dataset: ImageSet, unlabelled: ImageSet) -> list[str]:
    """Point to unlabelled images that may not have the scale of the labelled ones."""
    if not dataset.sizes or not unlabelled.sizes:
        return []
    (usual, other) = (
        max(found.sizes, key=found.sizes.__getitem__) for found in (dataset, unlabelled)
    )
    if usual == other:
        return []
    must = (
        "in tiles both must show the surface at the same scale"
        if isinstance(dataset.images, TiledImages)
        else "stretched to one size, both must show as much of the surface, in the same proportions"
    )
    return [
        f"the unlabelled images are usually {other[0]}x{other[1]}, the labelled ones "
        f"{usual[0]}x{usual[1]}: {must}"
    ]


def tile_notes(images: TiledImages) -> list[str]:
    """Describe images smaller than a tile.

    Raises:
        InputError: all of them are.
    """
    height, width = images.tiling.tile
    small = [image.shape for image in images if image.shape[0] < height or image.shape[1] < width]
    if not small:
        return []
    if len(small) == len(images):
        tallest, widest = max(size[0] for size in small), max(size[1] for size in small)
        raise InputError(
            f"tiles of {height}x{width} are larger than every image (at most "
            f"{tallest}x{widest} at scale {images.tiling.scale:g})",
            hint="use a smaller --tile, or a larger --scale",
        )
    return [
        f"{len(small)} of {len(images)} images are smaller than a tile of {height}x{width} and "
        "were continued by reflection"
    ]
