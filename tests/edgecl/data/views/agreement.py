"""Agreement of training's reader with the line, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgecl.data.dataset import ImageSet
from edgecl.data.pixels.tiled import TiledImages
from edgecl.data.reading import read_labelled
from runtime.artifact.contract import InputContract
from runtime.camera import open_camera
from runtime.image.preprocess import Preprocessor
from runtime.image.tiles import cut
from runtime.image.view import FrameView


def read_as_the_line_does(
    folder: Path, contract: InputContract, view: FrameView | None = None
) -> ImageSet:
    """Read a folder as training does, and require that a camera on it shows the same pixels."""
    trained = read_labelled(folder, contract, view=view)
    on_line = Preprocessor(replace(contract, bits=trained.bits), view=view)
    camera = open_camera(str(folder))
    seen = {}
    while (frame := camera.read()) is not None:
        assert frame.pixels is not None
        seen[frame.name] = on_line.prepare(frame.pixels, bits=frame.bits).copy()
    assert sorted(seen) == sorted(trained.files)
    for file, image in zip(trained.files, trained.images, strict=True):
        images = trained.images
        tiles = cut(image, images.tiling) if isinstance(images, TiledImages) else image[None]
        np.testing.assert_array_equal(seen[file][:, 0], tiles)
    return trained
