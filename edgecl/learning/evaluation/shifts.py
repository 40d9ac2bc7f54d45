"""Test under drift: what a network answers when the camera goes out of focus, darkens or turns.

The kinds follow the corruptions of Hendrycks and Dietterich, "Benchmarking Neural Network
Robustness to Common Corruptions and Perturbations", ICLR 2019, as far as a line has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgecl.data.camera_shifts import SHIFTS, CameraShift
from edgecl.data.pixels.selection import ImageRows
from edgecl.data.pixels.tiled import TiledImages
from edgecl.learning.findings import ShiftFacts, ShiftReport

MOST_IMAGES = 300
"""Images that are shifted and asked for, at most; each as often as there are shifts."""

MOST_TILES = 3000
"""Likewise their tiles: a large image has many, and fewer images are asked for then."""

# Shifted images in memory at a time: these, or one with more tiles.
_AT_ONCE = 128


def measure_shifts(
    images: ImageRows,
    targets: NDArray[np.int64],
    unshifted: NDArray[np.int64],
    answer: Callable[[ImageRows], NDArray[np.int64]],
    *,
    passing: Sequence[int],
    seed: int,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> ShiftReport:
    """Shift images, ask for them, and compare with the answers to the images as they are.

    Args:
        images: uint8, N×H×W at the model's size, or N at the tiles' scale, before they are cut.
        targets, unshifted: int64 N, the truth and the answers.
        answer: gives the answers to M images, int64 M.
        passing: numbers of the classes that let a part pass.
        seed: of the draw and of the noise.
        progress: called with (done, total, name of the shift).
    """
    rows = drawn_rows(tiles_of(images), seed)
    chosen, truth = images[rows], targets[rows]
    found = []
    for number, shift in enumerate(SHIFTS):
        progress(number, len(SHIFTS), shift.name)
        answers = np.concatenate([answer(part) for part in _shifted(chosen, shift, rows, seed)])
        found.append(
            ShiftFacts(
                name=shift.name,
                kind=shift.kind,
                amount=shift.amount,
                accuracy=float((answers == truth).mean()),
                escapes=escape_share(truth, answers, passing),
            )
        )
    progress(len(SHIFTS), len(SHIFTS), "done")
    tiled = isinstance(images, TiledImages)
    return ShiftReport(
        images=len(rows),
        of=len(images),
        shifted="images at the tiles' scale" if tiled else "images at the model's size",
        accuracy=float((unshifted[rows] == truth).mean()),
        escapes=escape_share(truth, unshifted[rows], passing),
        shifts=tuple(found),
    )


def drawn_rows(tiles: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the rows to ask for, int64, ascending: at most `MOST_IMAGES` and `MOST_TILES`.

    Args:
        tiles: int64 N, tiles of each image; one image is drawn, however many it has.
        seed: of the draw.
    """
    order = np.random.default_rng(seed).permutation(len(tiles))[:MOST_IMAGES]
    count = max(1, int((np.cumsum(tiles[order]) <= MOST_TILES).sum()))
    return np.sort(order[:count])


def tiles_of(images: ImageRows) -> NDArray[np.int64]:
    """Return the number of tiles of each image, int64 N; 1 where they are not cut."""
    return images.counts() if isinstance(images, TiledImages) else np.ones(len(images), np.int64)


def escape_share(
    targets: NDArray[np.int64], answers: NDArray[np.int64], passing: Sequence[int]
) -> float | None:
    """Return the share of the defects that are called a pass label, 0 to 1.

    Args:
        targets, answers: int64 N.
        passing: numbers of the classes that let a part pass.

    Returns:
        None where no class is known to, or no image shows a defect.
    """
    defects = ~np.isin(targets, list(passing))
    if not passing or not defects.any():
        return None
    return float(np.isin(answers[defects], list(passing)).mean())


def _shifted(
    images: ImageRows, shift: CameraShift, rows: NDArray[np.int64], seed: int
) -> Iterator[ImageRows]:
    """Yield all images in turn, shifted, some at a time; each has noise of its own."""
    done = 0
    for part in _parts(images):
        pixels = [
            shift.apply(image, np.random.default_rng([seed, row]))
            for image, row in zip(part, rows[done : done + len(part)].tolist(), strict=True)
        ]
        done += len(part)
        yield (
            TiledImages(pixels, part.tiling) if isinstance(part, TiledImages) else np.stack(pixels)
        )


def _parts(images: ImageRows) -> Iterator[ImageRows]:
    if isinstance(images, TiledImages):
        yield from images.batches(_AT_ONCE)
        return
    for start in range(0, len(images), _AT_ONCE):
        yield images[start : start + _AT_ONCE]
