"""Decoded images, with their origin for the reports."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from edgecl.data.pixels.selection import Stored
from runtime.counting import counted
from runtime.image.folder.notes import notes_on
from runtime.image.folder.walk import LeftOut

MOST_SKIPPED = 3
"""Files, or kinds of reasons, that are named one by one."""

# A damaged file's reason has byte counts of its own.
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Skipped:
    """A file that was skipped, and the reason."""

    file: str
    reason: str


@dataclass(frozen=True)
class ImageSet:
    """Images at the model's size, or at their own scale.

    Args:
        images: uint8, N×H×W; or N of any size, to be cut into tiles.
        files: N names, relative to the folder they were read from.
        hashes: N SHA-256 sums of the encoded files (of the pixels, for drawn images).
        labels: the class names, sorted; empty for an unlabelled set.
        targets: int64, N, an index into `labels`; empty for an unlabelled set.
        groups: N names; images of one group show the same piece of metal.
        skipped: the files that were left out.
        sizes: how many images had each original (height, width).
        notes: what a reader of the results must know of how the set was read.
        bits: how many bits of the 16-bit images among them are used; None where there are
            none, or each says so itself.
    """

    images: Stored
    files: Sequence[str]
    hashes: Sequence[str]
    labels: tuple[str, ...] = ()
    targets: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    groups: Sequence[str] = ()
    skipped: Sequence[Skipped] = ()
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    notes: Sequence[str] = ()
    bits: int | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def stretched(self) -> NDArray[np.uint8]:
        """The images of a set at the model's size, uint8 N×H×W.

        Raises:
            TypeError: they are at their own scale.
        """
        if not isinstance(self.images, np.ndarray):
            raise TypeError("these images are at their own scale")
        return self.images

    def take(self, index: NDArray[np.int64]) -> ImageSet:
        """The images at `index`, in that order."""
        rows = index.tolist()
        return replace(
            self,
            images=self.images[index],
            files=[self.files[row] for row in rows],
            hashes=[self.hashes[row] for row in rows],
            targets=self.targets[index] if len(self.targets) else self.targets,
            groups=[self.groups[row] for row in rows] if len(self.groups) else (),
        )

    def digest(self) -> str:
        """SHA-256 over names and hashes of all images, whatever their order."""
        lines = sorted(
            f"{digest} {file}" for file, digest in zip(self.files, self.hashes, strict=True)
        )
        # Names that are not UTF-8 count with their own bytes.
        return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def skipped_notes(skipped: Sequence[Skipped]) -> list[str]:
    """One note for each file, or for each kind of reason where many are skipped."""
    if len(skipped) <= MOST_SKIPPED:
        return [f"skipped {item.file}: {item.reason}" for item in skipped]
    kinds: dict[str, list[LeftOut]] = {}
    for item in skipped:
        same = kinds.setdefault(_NUMBER.sub("#", item.reason), [])
        reason = same[0].reason if same else item.reason
        same.append(LeftOut(PurePosixPath(item.file), reason))
    ordered = sorted(kinds.values(), key=len, reverse=True)
    named, others = ordered[:MOST_SKIPPED], ordered[MOST_SKIPPED:]
    notes = [note for items in named for note in notes_on(items)]
    if others:
        rest = sum(map(len, others))
        notes.append(f"skipped {counted(rest, 'more file')} for {len(others)} other reasons")
    return notes
