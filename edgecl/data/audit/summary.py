"""Summary of an audit, as `edgecl audit --json` prints it."""

from __future__ import annotations

from typing import ClassVar, Literal

from runtime.files.document import Document, Part


class AuditedFolder(Part, frozen=True, kw_only=True):
    """A set: its folder, and how many images and classes are in it."""

    folder: str
    images: int
    classes: int


class SharedImages(Part, frozen=True, kw_only=True):
    """Images of a set that show the same metal as one of the other set."""

    set: str
    other: str
    images_with_partner: int
    images: int


class CrossClass(Part, frozen=True, kw_only=True):
    """Links between classes of one set, an estimate of the false-match rate.

    Args:
        pairs: that were compared.
        links: that were found among them.
        rate: `links` / `pairs`; None without a pair.
    """

    pairs: int
    links: int
    rate: float | None


class Chance(Part, frozen=True, kw_only=True):
    """Links that chance makes, by how many it makes with mirrored images.

    Args:
        threshold: from which on links count; None where none tells links from chance, or where
            nothing was found.
        expected_false: links at this threshold that are to be expected by chance.
        links_as_given, expected_false_as_given: links at the threshold that was asked for, and
            how many of them are to be expected by chance.
        loosened_groups: that matched mirrored images too, so that weak links were given up.
        loosened_images: images in them.
        largest_loosened: images in the largest of them.
    """

    threshold: float | None
    expected_false: int
    links_as_given: int
    expected_false_as_given: int
    loosened_groups: int
    loosened_images: int
    largest_loosened: int


class AuditSummary(Document, frozen=True, kw_only=True):
    """Findings of an audit.

    Args:
        skipped: files that could not be read; a note says why.
        links: pairs of images that show the same metal, by kind.
        groups: of images that are linked; an image without a link is one of its own.
        grouped_images: images in groups of more than one.
        threshold, common: as given on the command line.
        seconds: that the audit took.
        out: path of the table of groups.
    """

    WHAT: ClassVar[str] = "the summary of an audit"
    REMEDY: ClassVar[str] = "run 'edgecl audit --json' again"
    UNNUMBERED: ClassVar[bool] = True

    schema: Literal[1] = 1
    sets: tuple[AuditedFolder, ...]
    skipped: int
    notes: tuple[str, ...]
    links: dict[str, int]
    groups: int
    grouped_images: int
    largest_group: int
    between_sets: tuple[SharedImages, ...]
    cross_class: CrossClass
    chance: Chance
    threshold: float
    common: float
    seconds: float
    out: str
