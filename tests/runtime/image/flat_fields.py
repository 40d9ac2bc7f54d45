"""Flat-fields of drawn cameras, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runtime.image.flat.field import FlatField, FlatRecord, Per
from runtime.image.flat.file import read_flat, write_flat


def drawn_flat(
    *, size: tuple[int, int] = (50, 70), bits: int = 8, per: Per = "column", seed: int = 0
) -> FlatField:
    """A camera whose offset and light differ from column to column, or from pixel to pixel."""
    rng = np.random.default_rng(seed)
    white = (1 << bits) - 1
    shape = size if per == "pixel" else (1, size[1])
    dark = rng.uniform(0.005, 0.03, shape) * white
    bright = dark + rng.uniform(0.4, 0.8, shape) * white
    record = FlatRecord(
        camera="drawn",
        recorded="2026-11-27T12:00:00+00:00",
        per=per,
        height=size[0],
        width=size[1],
        dtype="uint8" if bits == 8 else "uint16",
        bits=bits,
        frames=32,
        noise=1.0,
    )
    return FlatField(record, dark.astype(np.float32), bright.astype(np.float32))


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
