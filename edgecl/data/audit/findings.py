"""Audit of image sets: which images show the same piece of metal, and what follows.

A split that puts two of them on different sides tests on what it trained on; an unlabelled set
that holds the test images does the same by the back door.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecl.data.audit.sets import AuditedSets
from edgecl.data.audit.strangers import class_codes, count_strangers, strangers
from edgecl.data.audit.summary import (
    AuditedFolder,
    AuditSummary,
    Chance,
    CrossClass,
    SharedImages,
)
from edgecl.data.overlaps.chance import above_chance, steps
from edgecl.data.overlaps.correlation import MIN_COMMON, THRESHOLD
from edgecl.data.overlaps.joining import join, loosen
from edgecl.data.overlaps.search import Pairs, find_pairs
from runtime.counting import counted
from runtime.image.folder.notes import shown
from runtime.progress import StageProgress

EXACT, COPY, OVERLAP = "exact", "copy", "overlap"


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
        links: that were found; of each image, those to the images most like it.
        groups: int64, N, numbered from 0 in the order of their first image.
        cross_class_pairs: pairs of images of one set and two classes; hardly any of them can
            be the same piece of metal, so links among them show how often the method errs.
        chance: how many of the links are to be expected by chance.
        notes: what chance made necessary.
    """

    sets: AuditedSets
    links: tuple[Link, ...]
    groups: NDArray[np.int64]
    cross_class_pairs: int
    chance: Chance
    notes: tuple[str, ...] = ()

    @property
    def cross_class_links(self) -> int:
        """Links between two classes of one set."""
        ends = np.array([(link.first, link.second) for link in self.links], np.int64).reshape(-1, 2)
        return int(strangers(class_codes(self.sets), ends[:, 0], ends[:, 1]).sum())

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
            skipped=dataset.skipped,
            notes=(*dataset.notes, *self.notes),
            links={kind: kinds[kind] for kind in (EXACT, COPY, OVERLAP)},
            groups=len(sizes),
            grouped_images=int(sizes[sizes > 1].sum()),
            largest_group=int(sizes.max()),
            between_sets=tuple(self._between_sets()),
            cross_class=CrossClass(pairs=pairs, links=wrong, rate=wrong / pairs if pairs else None),
            chance=self.chance,
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


def audit(
    dataset: AuditedSets,
    report: StageProgress,
    *,
    threshold: float = THRESHOLD,
    common: float = MIN_COMMON,
) -> Audit:
    """Find exact copies, near copies and shifted overlaps, and join them to groups.

    Copies and overlaps count above what mirrored images show to be chance.

    Args:
        threshold: the least correlation of the common area.
        common: the least common area, as a share of an image.
    """
    count = len(dataset.files)
    first_of: dict[str, int] = {}
    first = np.array(
        [first_of.setdefault(h, row) for row, h in enumerate(dataset.hashes)], np.int64
    )
    distinct = first == np.arange(count)
    links = [Link(int(first[row]), int(row), EXACT, 1.0) for row in np.flatnonzero(~distinct)]
    real, mirrored = find_pairs(
        dataset.images, np.flatnonzero(distinct), report, threshold=threshold, common=common
    )
    verdict = above_chance(real, mirrored, count, threshold)
    kept = loosen(verdict.links, real, verdict.chance, count, steps(verdict.threshold or threshold))
    pairs = kept.links
    ends = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    links += [
        Link(*pair, COPY if copy else OVERLAP, correlation)
        for pair, copy, correlation in zip(
            ends, pairs.copies.tolist(), pairs.correlation.tolist(), strict=True
        )
    ]
    groups = join(
        np.concatenate((first[~distinct], pairs.first)),
        np.concatenate((np.flatnonzero(~distinct), pairs.second)),
        count,
    )
    chance = Chance(
        threshold=verdict.threshold,
        expected_false=verdict.expected_false,
        links_as_given=verdict.given_links,
        expected_false_as_given=verdict.given_expected_false,
        loosened_groups=kept.loosened,
        loosened_images=kept.images,
        largest_loosened=kept.largest,
        mirrored_copies=len(verdict.mirrored_copies),
    )
    return Audit(
        dataset,
        tuple(links),
        groups,
        count_strangers(class_codes(dataset), dataset.set_of),
        chance,
        (
            *_chance_notes(chance, threshold, len(verdict.links)),
            *_mirrored_notes(dataset, verdict.mirrored_copies),
        ),
    )


def _chance_notes(chance: Chance, given: float, links: int) -> Iterator[str]:
    at_given = (
        f"at {given:g}, {chance.links_as_given} links stand against "
        f"{chance.expected_false_as_given} that chance makes among mirrored images"
    )
    if chance.threshold is None:
        if chance.links_as_given:
            yield (f"no threshold tells overlaps from chance ({at_given}): only copies are grouped")
    elif chance.threshold > given:
        yield (
            f"the threshold rose to {chance.threshold:g} ({at_given}; at {chance.threshold:g}, "
            f"{links} against {chance.expected_false})"
        )
    if chance.loosened_groups:
        yield (
            f"{counted(chance.loosened_groups, 'group')} (the largest of "
            f"{chance.largest_loosened} images) matched mirrored images too, so weak links were "
            "given up"
        )


def _mirrored_notes(dataset: AuditedSets, found: Pairs) -> Iterator[str]:
    if len(found):
        one, other = (shown(dataset.files[int(end[0])]) for end in (found.first, found.second))
        yield (
            f"{counted(len(found), 'pair')} of images are mirror images of each other and were not "
            f"grouped (first: {one} and {other})"
        )
