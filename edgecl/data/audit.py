"""Audit of image sets: which images show the same piece of metal, and what follows.

A split that puts two of them on different sides tests on what it trained on; an unlabelled set
that holds the test images does the same by the back door.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecl.data.audit_summary import AuditedFolder, AuditSummary, CrossClass, SharedImages
from edgecl.data.known import fingerprints
from edgecl.data.overlap import MIN_COMMON, SCREEN_SLACK, SIDE, THRESHOLD, Correlator, screen
from edgecl.data.reading import read_unlabelled
from runtime.artifact.contract import InputContract
from runtime.errors import InputError
from runtime.files.atomic import write_text
from runtime.image.folder.labelled import class_names
from runtime.progress import StageProgress

EXACT, COPY, OVERLAP = "exact", "copy", "overlap"
# A copy that was encoded or resized anew stays above this, without a shift.
COPY_CORRELATION = 0.98
_COLUMNS = ("file", "group", "set", "class", "kind", "correlation", "partner", "fingerprint")


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
        skipped: files that could not be read.
        notes: what else of the folders was not taken.
    """

    folders: tuple[Path, ...]
    set_of: NDArray[np.int64]
    files: tuple[str, ...]
    names: tuple[str, ...]
    hashes: tuple[str, ...]
    images: NDArray[np.uint8]
    skipped: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Link:
    """Two rows that show the same piece of metal: an `exact` file, a `copy`, or an `overlap`."""

    first: int
    second: int
    kind: str
    correlation: float


@dataclass(frozen=True)
class Audit:
    """Findings of an audit.

    Args:
        sets: what was looked at.
        links: enough of them to hold every group together, and all between classes of one set.
        groups: int64, N, numbered from 0 in the order of their first image.
        cross_class_pairs: pairs of images of one set and two classes; hardly any of them can
            be the same piece of metal, so links among them show how often the method errs.
    """

    sets: AuditedSets
    links: tuple[Link, ...]
    groups: NDArray[np.int64]
    cross_class_pairs: int

    @property
    def cross_class_links(self) -> int:
        """Links between two classes of one set."""
        code = _class_codes(self.sets)
        return sum(bool(_strangers(code, link.first, link.second)) for link in self.links)

    def summary(
        self, *, threshold: float, common: float, seconds: float, out: Path
    ) -> AuditSummary:
        """Return the summary for machines.

        Args:
            threshold, common: that the audit was made with.
            seconds: that it took.
            out: the table of groups.
        """
        dataset, kinds = self.sets, Counter(link.kind for link in self.links)
        sizes = np.bincount(self.groups)
        pairs, wrong = self.cross_class_pairs, self.cross_class_links
        return AuditSummary(
            sets=tuple(
                AuditedFolder(
                    folder=str(folder),
                    images=int((dataset.set_of == number).sum()),
                    classes=len(
                        {
                            name
                            for name, owner in zip(dataset.names, dataset.set_of, strict=True)
                            if owner == number and name
                        }
                    ),
                )
                for number, folder in enumerate(dataset.folders)
            ),
            skipped=tuple(dataset.skipped),
            notes=tuple(dataset.notes),
            links={kind: kinds[kind] for kind in (EXACT, COPY, OVERLAP)},
            groups=len(sizes),
            grouped_images=int(sizes[sizes > 1].sum()),
            largest_group=int(sizes.max()),
            between_sets=tuple(self._between_sets()),
            cross_class=CrossClass(pairs=pairs, links=wrong, rate=wrong / pairs if pairs else None),
            threshold=threshold,
            common=common,
            seconds=seconds,
            out=str(out),
        )

    def _between_sets(self) -> Iterator[SharedImages]:
        members = [
            set(self.groups[self.sets.set_of == number].tolist())
            for number in range(len(self.sets.folders))
        ]
        for number, folder in enumerate(self.sets.folders):
            own = self.groups[self.sets.set_of == number]
            for position, other in enumerate(self.sets.folders):
                if number != position:
                    yield SharedImages(
                        set=str(folder),
                        other=str(other),
                        images_with_partner=int(np.isin(own, list(members[position])).sum()),
                        images=len(own),
                    )


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
    skipped: list[str] = []
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
        skipped.extend(f"{folder / item.file}: {item.reason}" for item in read.skipped)
        notes.extend(f"{folder}: {note}" for note in read.notes)
    return AuditedSets(
        folders=tuple(folders),
        set_of=np.repeat(np.arange(len(folders)), [len(part) for part in images]),
        files=tuple(files),
        names=tuple(names),
        hashes=tuple(hashes),
        images=np.concatenate(images),
        skipped=tuple(skipped),
        notes=tuple(notes),
    )


def audit(
    dataset: AuditedSets,
    report: StageProgress,
    *,
    threshold: float = THRESHOLD,
    common: float = MIN_COMMON,
) -> Audit:
    """Find exact copies, near copies and shifted overlaps, and join them to groups.

    A pair that earlier links have joined is not measured again, unless its classes differ.

    Args:
        threshold: the least correlation of the common area.
        common: the least common area, as a share of an image.
    """
    union = _Union(len(dataset.files))
    links: list[Link] = []
    seen: dict[str, int] = {}
    for row, digest in enumerate(dataset.hashes):
        first = seen.setdefault(digest, row)
        if first != row:
            union.join(first, row)
            links.append(Link(first, row, EXACT, 1.0))
    exact = {(link.first, link.second) for link in links}
    candidates = screen(
        dataset.images,
        threshold=threshold - SCREEN_SLACK,
        common=common,
        progress=lambda done, total: report("screening", done, total, "all pairs, all shifts"),
    )
    code = _class_codes(dataset)
    strangers = _strangers(code, candidates.first, candidates.second)
    correlate = Correlator(dataset.images, common=common)
    total = len(candidates.first)
    for done, (first, second, strange) in enumerate(
        zip(candidates.first.tolist(), candidates.second.tolist(), strangers.tolist(), strict=True)
    ):
        report("measuring", done + 1, total, f"{len(links)} links")
        if (first, second) in exact or (union.joined(first, second) and not strange):
            continue
        match = correlate(first, second)
        if match.correlation >= threshold:
            still = max(map(abs, match.shift)) * SIDE <= 1
            kind = COPY if still and match.correlation >= COPY_CORRELATION else OVERLAP
            links.append(Link(first, second, kind, match.correlation))
            union.join(first, second)
    return Audit(dataset, tuple(links), union.numbers(), _count_strangers(code, dataset.set_of))


def write_groups(path: Path, found: Audit) -> None:
    """Write a row per image: its group, and the strongest of its links.

    With several sets, files are named with their set's folder in front.

    Raises:
        InputError: the file cannot be written.
    """
    dataset = found.sets
    best: dict[int, tuple[Link, int]] = {}
    for link in sorted(found.links, key=lambda link: -link.correlation):
        best.setdefault(link.first, (link, link.second))
        best.setdefault(link.second, (link, link.first))
    many = len(dataset.folders) > 1

    def shown(row: int) -> str:
        folder = dataset.folders[dataset.set_of[row]].resolve().name
        return f"{folder}/{dataset.files[row]}" if many else dataset.files[row]

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    marks = fingerprints(dataset.images)
    for row in range(len(dataset.files)):
        kept = best.get(row)
        writer.writerow(
            (
                shown(row),
                found.groups[row],
                dataset.folders[dataset.set_of[row]].resolve().name,
                dataset.names[row],
                kept[0].kind if kept else "",
                f"{kept[0].correlation:.3f}" if kept else "",
                shown(kept[1]) if kept else "",
                f"{marks[row]:016x}",
            )
        )
    write_text(path, text.getvalue())


def _class_codes(dataset: AuditedSets) -> NDArray[np.int64]:
    """N×2: the set, and the class within it or -1."""
    names = sorted(set(dataset.names) - {""})
    return np.stack(
        (
            dataset.set_of,
            np.array([names.index(name) if name else -1 for name in dataset.names], np.int64),
        ),
        axis=1,
    )


def _strangers(
    code: NDArray[np.int64], first: NDArray[np.int64] | int, second: NDArray[np.int64] | int
) -> NDArray[np.bool_]:
    """Return which pairs are of one set and two classes."""
    one, other = code[first], code[second]
    strange: NDArray[np.bool_] = (
        (one[..., 0] == other[..., 0])
        & (one[..., 1] != other[..., 1])
        & (one[..., 1] >= 0)
        & (other[..., 1] >= 0)
    )
    return strange


def _count_strangers(code: NDArray[np.int64], set_of: NDArray[np.int64]) -> int:
    total = 0
    for number in np.unique(set_of):
        classes = code[(set_of == number) & (code[:, 1] >= 0), 1]
        sizes = np.bincount(classes) if len(classes) else np.zeros(1, np.int64)
        total += (int(sizes.sum()) ** 2 - int((sizes**2).sum())) // 2
    return total


class _Union:
    """Disjoint sets of row numbers."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def _root(self, row: int) -> int:
        while self._parent[row] != row:
            self._parent[row] = self._parent[self._parent[row]]
            row = self._parent[row]
        return row

    def joined(self, first: int, second: int) -> bool:
        return self._root(first) == self._root(second)

    def join(self, first: int, second: int) -> None:
        self._parent[self._root(first)] = self._root(second)

    def numbers(self) -> NDArray[np.int64]:
        """Group numbers in the order of the groups' first rows."""
        order: dict[int, int] = {}
        return np.array(
            [order.setdefault(self._root(row), len(order)) for row in range(len(self._parent))],
            np.int64,
        )
