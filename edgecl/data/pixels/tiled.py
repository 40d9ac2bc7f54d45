"""Images of any size at their own scale, in memory or on disk, that are looked at in tiles."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, overload

import numpy as np
from numpy.typing import NDArray

from edgecl.data.pixels.store import MEMORY_SHARE, free_memory
from runtime.artifact.tiling import Tiling
from runtime.errors import InputError
from runtime.image.tiles import cut, places


@dataclass(frozen=True)
class TiledImages:
    """N images at the tiles' scale, and how they are cut.

    Args:
        pixels: N arrays, uint8 H×W, each of its own size.
        tiling: of them all.
    """

    pixels: Sequence[NDArray[np.uint8]]
    tiling: Tiling

    def __len__(self) -> int:
        return len(self.pixels)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Image by image, H×W."""
        return iter(self.pixels)

    @overload
    def __getitem__(self, wanted: int | np.integer) -> NDArray[np.uint8]: ...

    @overload
    def __getitem__(self, wanted: NDArray[np.int64] | slice) -> TiledImages: ...

    def __getitem__(
        self, wanted: int | np.integer | NDArray[np.int64] | slice
    ) -> NDArray[np.uint8] | TiledImages:
        """One image, H×W, or those of some rows in their order; pixels are not copied."""
        if isinstance(wanted, (int, np.integer)):
            return self.pixels[int(wanted)]
        if isinstance(wanted, slice):
            return TiledImages(self.pixels[wanted], self.tiling)
        return TiledImages([self.pixels[row] for row in wanted.tolist()], self.tiling)

    def counts(self) -> NDArray[np.int64]:
        """Number of tiles of each image, int64 N."""
        return np.array([len(places(_size(image), self.tiling)) for image in self], np.int64)

    def tiles(self) -> NDArray[np.uint8]:
        """All tiles, image after image, uint8 T×h×w."""
        if not len(self):
            return np.empty((0, *self.tiling.tile), np.uint8)
        return np.concatenate([cut(image, self.tiling) for image in self])

    def batches(self, size: int) -> Iterator[TiledImages]:
        """The images in turn, as many at a time as have about `size` tiles, and one at least."""
        counts = self.counts()
        start = 0
        while start < len(self):
            stop, tiles = start + 1, int(counts[start])
            while stop < len(self) and tiles + counts[stop] <= size:
                tiles += int(counts[stop])
                stop += 1
            yield self[start:stop]
            start = stop


class TiledStore:
    """Room for images as they are decoded: in memory, and on disk beyond a budget.

    Args:
        budget: bytes of memory; a share of what is free by default.
    """

    def __init__(self, *, budget: int | None = None) -> None:
        self._budget = int(free_memory() * MEMORY_SHARE) if budget is None else budget
        self._pixels: list[NDArray[np.uint8]] = []
        self._file: IO[bytes] | None = None
        self._on_disk: list[tuple[int, int]] = []

    def add(self, image: NDArray[np.uint8]) -> None:
        """Take one more image.

        Raises:
            InputError: the disk has no room.
        """
        self._budget -= image.nbytes
        if self._budget >= 0:
            self._pixels.append(np.ascontiguousarray(image))
            return
        try:
            if self._file is None:
                # It has no name, and is gone when the process is, however that ends.
                self._file = tempfile.TemporaryFile(prefix="edgecl-images-")  # noqa: SIM115
            self._file.write(np.ascontiguousarray(image).tobytes())
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"the decoded images do not fit in memory or in {tempfile.gettempdir()} "
                f"({error.strerror or error})",
                hint="free some space there, set TMPDIR to a folder on a larger disk, or use a "
                "smaller --scale",
            ) from error
        self._on_disk.append(_size(image))

    def images(self, tiling: Tiling) -> TiledImages:
        """Return all images in the order in which they came."""
        if self._file is None:
            return TiledImages(self._pixels, tiling)
        mapped = np.memmap(
            self._file, np.uint8, "r", shape=(os.fstat(self._file.fileno()).st_size,)
        )
        start, pixels = 0, list(self._pixels)
        for height, width in self._on_disk:
            pixels.append(mapped[start : start + height * width].reshape(height, width))
            start += height * width
        return TiledImages(pixels, tiling)


def _size(image: NDArray[np.uint8]) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
