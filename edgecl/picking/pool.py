"""Images to pick from, and those that are labelled already, read at their own scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecl.data.copies import find_copies
from edgecl.data.dataset import skipped_notes
from edgecl.data.pixels.tiled import TiledImages
from edgecl.data.reading import read_unlabelled
from edgecl.learning.run.leaks import copies_of, thumbnails
from runtime.artifact.contract import InputContract
from runtime.artifact.tiling import Tiling
from runtime.errors import InputError
from runtime.image.folder.labelled import class_names, find_unlabelled
from runtime.image.view import FrameView
from runtime.progress import StageProgress

_ROWS = 4096


@dataclass(frozen=True)
class Pool:
    """Images of several folders.

    Args:
        images: at their own scale, uint8, N of any size.
        paths: N files.
        names: N classes; empty where the folders name none.
        notes: what was left out of the folders.
    """

    images: TiledImages
    paths: Sequence[Path]
    names: Sequence[str]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


def read_pool(
    folders: Sequence[Path],
    *,
    scale: float,
    bits: int | None,
    stage: str,
    report: StageProgress,
    view: FrameView | None = None,
) -> Pool:
    """Read every image of every folder.

    Args:
        scale: factor by which every image is resized.
        bits: how many bits of 16-bit images are used; None to find out.
        stage: what the progress is called.
        view: what of the images is seen; None for whole images as they are.

    Raises:
        InputError: a folder without readable images, or one that is named twice.
    """
    # The tile is not used: images are described whole.
    contract = InputContract(1, 1, bits=bits, tiling=Tiling((1, 1), scale=scale))
    tiling = contract.tiling
    assert tiling is not None
    pixels: list[NDArray[np.uint8]] = []
    paths: list[Path] = []
    names: list[str] = []
    notes: list[str] = []
    for position, folder in enumerate(folders):
        if any(folder.resolve() == other.resolve() for other in folders[:position]):
            raise InputError(f"{folder} is given twice", hint="list each folder once")
        root = find_unlabelled(folder, strict=False).root
        read = read_unlabelled(
            [folder],
            contract,
            view=view,
            progress=lambda done, total, folder=folder: report(  # type: ignore[misc]
                stage, done, total, str(folder)
            ),
        )
        pixels.extend(read.images)
        paths.extend(root / file for file in read.files)
        names.extend(class_names(root, read.files))
        notes.extend(f"{folder}: {note}" for note in (*read.notes, *skipped_notes(read.skipped)))
    return Pool(TiledImages(pixels, tiling), paths, names, tuple(notes))


class Copies:
    """Copies among images: equal pixel by pixel, or nearly so.

    Args:
        images: N of any size, the labelled ones first.
        labelled: how many these are.
    """

    def __init__(self, images: TiledImages, labelled: int) -> None:
        first = find_copies(images)
        self.small = thumbnails(images)
        self.equal: NDArray[np.bool_] = first != np.arange(len(images))
        """bool, N: equals an earlier image."""
        near = self.equal.copy()
        known = self.small[:labelled][~self.equal[:labelled]]
        for start in range(labelled, len(images), _ROWS):
            block = slice(start, start + _ROWS)
            for other in range(0, len(known), _ROWS):
                near[block] |= copies_of(self.small[block], known[other : other + _ROWS])
        near[:labelled] = True
        self.free: NDArray[np.bool_] = ~near
        """bool, N: neither labelled nor a copy of a labelled or an earlier image."""

    def among(self, rows: NDArray[np.int64], picked: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of `rows` are copies of `picked` ones."""
        return copies_of(self.small[rows], self.small[picked])
