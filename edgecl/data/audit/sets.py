"""Sets of images to audit, read small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecl.data.dataset import skipped_notes
from edgecl.data.overlaps.correlation import SIDE
from edgecl.data.pixels.store import join
from edgecl.data.reading import read_unlabelled
from runtime.artifact.contract import InputContract
from runtime.errors import InputError
from runtime.image.folder.labelled import class_names
from runtime.progress import StageProgress


@dataclass(frozen=True)
class AuditedSets:
    """Images of all sets, one after the other.

    Args:
        folders: of the sets.
        set_of: int64, N, an index into `folders`.
        files: N names, relative to their folder.
        names: N classes; empty where the set's layout names none.
        hashes: N SHA-256 sums of the encoded files.
        images: uint8, N×100×100, stretched.
        skipped: how many files could not be read.
        notes: on these, and on what else of the folders was not taken.
    """

    folders: tuple[Path, ...]
    set_of: NDArray[np.int64]
    files: tuple[str, ...]
    names: tuple[str, ...]
    hashes: tuple[str, ...]
    images: NDArray[np.uint8]
    skipped: int = 0
    notes: tuple[str, ...] = ()


def read_sets(folders: Sequence[Path], report: StageProgress) -> AuditedSets:
    """Read every image of every folder, small.

    Raises:
        InputError: a folder without images, or one that is named twice.
    """
    for position, folder in enumerate(folders):
        if any(folder.resolve() == other.resolve() for other in folders[:position]):
            raise InputError(f"{folder} is given twice", hint="list each set once")
    contract = InputContract(SIDE, SIDE, "area")
    files: list[str] = []
    names: list[str] = []
    hashes: list[str] = []
    images: list[NDArray[np.uint8]] = []
    skipped = 0
    notes: list[str] = []
    for folder in folders:
        read = read_unlabelled(
            [folder],
            contract,
            progress=lambda done, total, folder=folder: report(  # type: ignore[misc]
                "reading", done, total, str(folder)
            ),
        )
        files.extend(read.files)
        hashes.extend(read.hashes)
        names.extend(class_names(folder, read.files))
        images.append(read.stretched)
        skipped += len(read.skipped)
        notes.extend(f"{folder}: {note}" for note in (*read.notes, *skipped_notes(read.skipped)))
    return AuditedSets(
        folders=tuple(folders),
        set_of=np.repeat(np.arange(len(folders)), [len(part) for part in images]),
        files=tuple(files),
        names=tuple(names),
        hashes=tuple(hashes),
        images=join(images),
        skipped=skipped,
        notes=tuple(notes),
    )
