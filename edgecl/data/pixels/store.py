"""Storage of decoded images: in memory, or on disk where they would fill it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError

# Of the free memory, for one set: its train and validation parts are copied, and training itself
# needs room.
MEMORY_SHARE = 0.25

_CGROUP_FILES = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def free_memory() -> int:
    """Bytes of memory that this process may still use, by the kernel and its control group."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, ValueError, StopIteration):
        pass
    for limit, used in _CGROUP_FILES:
        try:
            free = min(free, int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return max(free, 0)


def new_store(shape: tuple[int, int, int], *, budget: int | None = None) -> NDArray[np.uint8]:
    """Room for decoded images.

    Args:
        shape: N×H×W.
        budget: bytes of memory that it may take; a share of what is free by default.

    Returns:
        uint8, N×H×W. Beyond the budget it is a memory map of a file without a name, which is gone
        when the array is, however the process ends.

    Raises:
        InputError: the disk has no room.
    """
    size = int(np.prod(shape, dtype=np.int64))
    if size <= (int(free_memory() * MEMORY_SHARE) if budget is None else budget):
        return np.empty(shape, np.uint8)
    folder = tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(prefix="edgecl-images-") as file:
            # Reserved now: a disk that fills up later would end the process by a signal.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, np.uint8, "r+", shape=shape)
    except OSError as error:
        raise InputError(
            f"the decoded images need {size / 2**20:,.0f} MiB, which does not fit in "
            f"memory or in {folder} ({error.strerror or error})",
            hint="free some space there, set TMPDIR to a folder on a larger disk, or use a "
            "smaller --image-size",
        ) from error


@dataclass(frozen=True)
class Selection:
    """Rows of sets that are too large to be copied; requested rows are gathered.

    Args:
        parts: arrays, uint8 N×H×W, each with int64 row numbers; the rows follow each other.
    """

    parts: Sequence[tuple[NDArray[np.uint8], NDArray[np.int64]]]

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.parts)

    @property
    def shape(self) -> tuple[int, ...]:
        """N×H×W."""
        return (len(self), *self.parts[0][0].shape[1:])

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Image by image, H×W."""
        for images, rows in self.parts:
            for row in rows:
                yield images[row]

    def __getitem__(self, wanted: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        """A copy of the rows, uint8 M×H×W, in the order asked for."""
        if isinstance(wanted, slice):
            wanted = np.arange(*wanted.indices(len(self)))
        out = np.empty((len(wanted), *self.shape[1:]), np.uint8)
        start = 0
        for images, rows in self.parts:
            mine = (start <= wanted) & (wanted < start + len(rows))
            out[mine] = images[rows[wanted[mine] - start]]
            start += len(rows)
        return out


def gather(
    *parts: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> NDArray[np.uint8] | Selection:
    """Rows of one or more sets: copied into one array, or left where they are if one is on disk."""
    if any(_on_disk(images) for images, _ in parts):
        return Selection(parts)
    return np.concatenate([images[rows] for images, rows in parts])


def join(sets: Sequence[NDArray[np.uint8]], *, budget: int | None = None) -> NDArray[np.uint8]:
    """Concatenate one or more sets in one store.

    Raises:
        InputError: the disk has no room.
    """
    if len(sets) == 1:
        return sets[0]
    out = new_store((sum(map(len, sets)), *sets[0].shape[1:]), budget=budget)
    start = 0
    for images in sets:
        out[start : start + len(images)] = images
        start += len(images)
    return out


def _on_disk(images: NDArray[np.uint8]) -> bool:
    return isinstance(images, np.memmap)
