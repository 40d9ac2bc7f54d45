"""Sources of a run's images: read anew, or remembered from the run before."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from edgecl.data.builtin import builtin_images
from edgecl.data.dataset import ImageSet
from edgecl.data.pixels.selection import Stored
from edgecl.data.pixels.tiled import TiledImages
from edgecl.data.reading import read_labelled, read_unlabelled
from edgecl.data.resizing import resized
from edgecl.learning.config import TrainConfig
from runtime.artifact.contract import InputContract
from runtime.errors import InputError
from runtime.image.flat.file import read_flat
from runtime.image.tiles import to_scale
from runtime.image.view import FrameView
from runtime.progress import CountProgress

BUILTIN_COUNT = 2100
BUILTIN_SEED = 0
BUILTIN_SHAPE = (256, 256)
"""(height, width) of the drawn surfaces where they are cut into tiles: the demo's camera has it."""


class ImageSource:
    """Reads the folders that a run's choices name."""

    def labelled(self, config: TrainConfig, progress: CountProgress) -> ImageSet:
        """The labelled set at the model's size; without a folder, the drawn surfaces.

        Raises:
            InputError: see `read_labelled`.
        """
        if not config.data:
            progress(0, 1)
            drawn = _drawn(_contract(config))
            progress(1, 1)
            return drawn
        return read_labelled(
            Path(config.data),
            _contract(config),
            view=frame_view_of(config),
            strict=config.strict,
            progress=progress,
        )

    def unlabelled(self, config: TrainConfig, progress: CountProgress) -> ImageSet:
        """Read the images of all unlabelled folders.

        Raises:
            InputError: see `read_unlabelled`.
        """
        folders = [Path(folder) for folder in config.unlabelled]
        return read_unlabelled(
            folders,
            _contract(config),
            view=frame_view_of(config),
            strict=config.strict,
            progress=progress,
        )


class RememberingSource(ImageSource):
    """Source that remembers its last reads, for many runs on folders that do not change.

    Labelled images that were read for tiles at scale 1 stay at hand, in memory or on disk as any
    set does, and every other size is made of them: geometries are compared over one read.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, ImageSet]] = {}

    def labelled(self, config: TrainConfig, progress: CountProgress) -> ImageSet:
        """Read like `ImageSource`, or from memory where an earlier run had the same images."""
        key = _form(config)
        if self._kept.get("labelled", (None,))[0] == key:
            return self._kept["labelled"][1]
        self._kept.pop("labelled", None)  # room for the new one
        seen = _seen(config)
        if self._kept.get("own", (None,))[0] == seen:
            own = self._kept["own"][1]
            found = resized(own, _contract(config), strict=config.strict, where=config.data)
        else:
            found = super().labelled(config, progress)
            if config.data and config.tiling is not None and config.tiling.scale == 1:
                self._kept["own"] = (seen, found)
        self._kept["labelled"] = (key, found)
        return found

    def unlabelled(self, config: TrainConfig, progress: CountProgress) -> ImageSet:
        """Read like `ImageSource`, or from memory where an earlier run had the same."""
        if not config.unlabelled:
            return super().unlabelled(config, progress)
        key = (config.unlabelled, *_form(config))
        if self._kept.get("unlabelled", (None,))[0] != key:
            self._kept["unlabelled"] = (key, super().unlabelled(config, progress))
        return self._kept["unlabelled"][1]


def _form(config: TrainConfig) -> tuple[object, ...]:
    """Return a key of everything that decides how a folder's images are read."""
    return (config.image_size, config.interpolation, config.tiling, *_seen(config))


def _seen(config: TrainConfig) -> tuple[object, ...]:
    """Return a key of everything that decides which pixels are seen, before any resize."""
    return (config.data, config.bits, config.strict, config.roi, config.flat)


def frame_view_of(config: TrainConfig) -> FrameView:
    """Return what a run sees of its images.

    Raises:
        InputError: the flat-field cannot be read, or has another depth than the choices say.
    """
    flat = read_flat(Path(config.flat)) if config.flat else None
    view = FrameView(config.region, flat)
    if config.bits and view.deep_bits not in (None, config.bits):
        raise InputError(
            f"--bits {config.bits} differs from the {view.deep_bits} bits of the flat-field "
            f"{config.flat}",
            hint="omit --bits, or record the flat-field with the depth of these images",
        )
    return view


def _contract(config: TrainConfig) -> InputContract:
    return InputContract(
        *config.image_size,
        config.interpolation,
        config.bits or None,
        config.tiling,
        config.region,
    )


def _drawn(contract: InputContract) -> ImageSet:
    """The built-in set, drawn at the model's size, or as a line's camera takes it for tiles."""
    tiling = contract.tiling
    image_size = BUILTIN_SHAPE if tiling is not None else contract.shape
    images, names, groups, files = builtin_images(BUILTIN_COUNT, image_size, seed=BUILTIN_SEED)
    labels = tuple(sorted(set(names)))
    pixels: Stored = images
    if tiling is not None:
        pixels = TiledImages([to_scale(image, tiling.scale) for image in images], tiling)
    return ImageSet(
        images=pixels,
        files=files,
        hashes=[hashlib.sha256(image.tobytes()).hexdigest() for image in images],
        labels=labels,
        targets=np.array([labels.index(name) for name in names], np.int64),
        groups=groups,
        sizes={image_size: len(images)},
    )
