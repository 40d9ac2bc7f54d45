"""Identical images: equal files, or different files with equal pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgecl.data.dataset import ImageSet
from edgecl.data.splits import Split
from runtime.counting import counted
from runtime.image.folder.notes import shown


def find_copies(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Return which images have identical pixels, at the model's size or at the tiles' scale.

    Args:
        images: uint8, N of H×W.

    Returns:
        int64, N: the first row with these pixels, which is an image's own where no earlier one
        has them.
    """
    seen: dict[tuple[bytes, tuple[int, ...]], int] = {}
    first: list[int] = []
    for row, image in enumerate(images):
        digest = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        first.append(seen.setdefault((digest, image.shape), row))
    return np.array(first, np.int64)


def with_copies_joined(dataset: ImageSet, first: NDArray[np.int64]) -> ImageSet:
    """Put each copy into the group of its original; both groups become one.

    Args:
        first: as `find_copies` gives it.
    """
    parent: dict[str, str] = {}

    def root(group: str) -> str:
        while (above := parent.get(group, group)) != group:
            group = above
        return group

    joined = []
    for row in _copies(first):
        original = int(first[row])
        if dataset.groups[row] != dataset.groups[original]:
            joined.append(row)
        one, other = root(dataset.groups[original]), root(dataset.groups[row])
        if one != other:
            parent[other] = one
    if not joined:
        return dataset
    note = (
        f"{counted(len(joined), 'image')} "
        f"{'is a copy' if len(joined) == 1 else 'are copies'} of other images, pixel by "
        f"pixel, and joined their groups ({_pair(dataset, joined[0], first)})"
    )
    return replace(
        dataset,
        groups=[root(group) for group in dataset.groups],
        notes=(*dataset.notes, note),
    )


def under_two_labels(dataset: ImageSet, first: NDArray[np.int64]) -> str:
    """Describe the images under two labels; empty where there are none."""
    rows = [row for row in _copies(first) if dataset.targets[row] != dataset.targets[first[row]]]
    if not rows:
        return ""
    count = len({int(first[row]) for row in rows})
    one, other = (dataset.labels[dataset.targets[row]] for row in (rows[0], first[rows[0]]))
    what = "1 image appears" if count == 1 else f"{count} images appear"
    return (
        f"{what} under two labels ({_pair(dataset, rows[0], first)}: {shown(one)} and "
        f"{shown(other)})"
    )


def copies_across(dataset: ImageSet, split: Split, first: NDArray[np.int64]) -> list[str]:
    """Return a note on test images that have a copy in the train or the validation part."""
    seen = {int(first[row]) for part in (split.train, split.validation) for row in part}
    rows = [row for row in split.test.tolist() if int(first[row]) in seen]
    if not rows:
        return []
    learnt = np.concatenate((split.train, split.validation))
    partner = int(learnt[first[learnt] == first[rows[0]]][0])
    pair = f"{shown(dataset.files[rows[0]])}, a copy of {shown(dataset.files[partner])}"
    return [
        f"{len(rows)} of {len(split.test)} test images are pixel-by-pixel copies of images "
        f"in the train or validation part (first: {pair})"
    ]


def _copies(first: NDArray[np.int64]) -> list[int]:
    rows: list[int] = np.flatnonzero(first != np.arange(len(first))).tolist()
    return rows


def _pair(dataset: ImageSet, row: int, first: NDArray[np.int64]) -> str:
    copy, original = dataset.files[row], dataset.files[int(first[row])]
    return f"first: {shown(copy)}, a copy of {shown(original)}"
