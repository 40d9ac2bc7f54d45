"""Images of a folder on whose label all reviewers agree, found again by their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecl.review.collected import CollectedImage, find_collected
from edgecl.review.decisions.journal import JOURNAL, read_journal
from edgecl.review.decisions.standing import agreed_label, differ
from runtime.errors import FrameError, InputError
from runtime.image.decode import read_encoded
from runtime.progress import StageProgress


@dataclass(frozen=True)
class AgreedImage:
    """An original whose label reviewers agree on.

    Args:
        digest: SHA-256 of its file.
        reviewers: who gave the label.
        at: when the last of them did.
    """

    digest: str
    image: CollectedImage
    label: str
    reviewers: tuple[str, ...]
    at: str


@dataclass(frozen=True)
class AgreedImages:
    """Outcome of a review.

    Args:
        images: in the folder's order.
        disagreements, dont_know, under_heat_maps, gone: decided images that are not among them.
        reviewers: everybody with a decision that stands.
    """

    images: Sequence[AgreedImage]
    disagreements: int
    dont_know: int
    under_heat_maps: int
    gone: int
    reviewers: tuple[str, ...]


def read_agreed(folder: Path, report: StageProgress) -> AgreedImages:
    """Read the journal of a folder, and find the images that it speaks of.

    Raises:
        InputError: the folder or its journal cannot be read, or nobody has decided anything.
    """
    standing = read_journal(folder)
    decided = standing.images
    if not decided:
        raise InputError(
            f"nothing is decided in {folder} yet (no {JOURNAL} with decisions)",
            hint=f"review it first: edgecl review {folder}",
        )
    collected = find_collected(folder).images
    found: dict[str, CollectedImage] = {}
    for number, image in enumerate(collected):
        try:
            found.setdefault(hashlib.sha256(read_encoded(image.path)).hexdigest(), image)
        except FrameError:  # gone, or damaged: counted below where somebody decided about it
            continue
        finally:
            report("reviewed", number + 1, len(collected), str(folder))
    agreed, apart, unknown, covered, gone = [], 0, 0, 0, 0
    names: dict[str, None] = {}
    for digest in decided:
        decisions = standing.of(digest)
        names.update(dict.fromkeys(decisions))
        label = agreed_label(decisions)
        here = found.get(digest)
        if differ(decisions):
            apart += 1
        elif label is None:
            unknown += 1
        elif here is None:
            gone += 1
        elif here.under_heat_map:
            covered += 1
        else:
            line = standing.line_of(digest)
            who = tuple(name for name, given in decisions.items() if given == label)
            agreed.append(AgreedImage(digest, here, label, who, line.at if line else ""))
    order = {image.file: place for place, image in enumerate(collected)}
    agreed.sort(key=lambda entry: order[entry.image.file])
    return AgreedImages(agreed, apart, unknown, covered, gone, tuple(names))
