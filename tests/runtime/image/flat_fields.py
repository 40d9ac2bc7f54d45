"""Flat-fields of drawn cameras, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.flat_field import drawn_flat as drawn_flat
from runtime.image.flat.field import FlatField
from runtime.image.flat.file import read_flat, write_flat


def stored_flat(path: Path, **form) -> FlatField:
    """The same, written to a file and read back with its digest."""
    write_flat(path, drawn_flat(**form))
    return read_flat(path)


def frames_of(flat: FlatField, count: int = 6, *, rows: int | None = None) -> list[np.ndarray]:
    """Frames of a surface as that camera takes it: its light and offset are in them."""
    record = flat.record
    white = (1 << record.bits) - 1
    rng = np.random.default_rng(5)
    frames = []
    for _ in range(count):
        surface = rng.uniform(0.3, 1.0, (rows or record.height, record.width))
        levels = flat.dark + surface * (flat.bright - flat.dark)
        frames.append(levels.clip(0, white).astype(record.dtype))
    return frames
