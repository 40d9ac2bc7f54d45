"""Drawn pictures in the form in which training takes a data set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgecl.data.dataset import PictureSet
from edgecl.data.splits import Split
from edgecl.learning.run.preparation import Prepared
from runtime.benchmark.frames import draw_frames


def draw_pictures(size: tuple[int, int], count: int) -> NDArray[np.uint8]:
    """Surfaces, uint8, count×H×W; the same ones every time."""
    return np.stack(list(draw_frames(*size, seed=1, count=count)))


def prepare(pictures: NDArray[np.uint8], classes: int) -> Prepared:
    """The pictures as a train part, with no other part; their labels go round."""
    names = [str(row) for row in range(len(pictures))]
    rows, none = np.arange(len(pictures)), np.empty(0, np.int64)
    kinds = tuple(f"class {number}" for number in range(classes))
    labelled = PictureSet(pictures, names, names, kinds, rows % classes)
    return Prepared(labelled, Split(rows, none, none), rows, pictures[:0], (), "")
