"""Checks that no class vanishes silently because all of its files were skipped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from runtime.errors import InputError
from runtime.image.decode import SUFFIXES
from runtime.image.folder.layouts import Layout, names_ground_truth, within_containers
from runtime.image.folder.notes import notes_on, shown
from runtime.image.folder.walk import HIDDEN, LeftOut, Walk

_MOST_NAMES = 5


def check_class_folders(walk: Walk, layout: Layout) -> list[str]:
    """Refuse a set with a class folder that lost all of its files, or that appears twice.

    Args:
        walk: the folder that was given.
        layout: the images that were found in it.

    Returns:
        A note on the class folders with nothing in them, if there are any.

    Raises:
        InputError: a class folder cannot be read, is a broken link, or holds only files that are
            no images; or it is a link to another class's folder.
    """
    names = [PurePosixPath(path.relative_to(walk.root).as_posix()) for path in layout.paths]
    inner = within_containers([str(name) for name in names])
    if any(len(name.parts) == 1 for name in inner):
        return []
    depth = len(names[0].parts) - len(inner[0].parts)
    _refuse_lost_parts(walk, depth)
    _refuse_shared(walk, depth)
    above = {PurePosixPath(*name.parts[:depth]) for name in names}
    found = {name.parts[0] for name in inner}
    empty = []
    for folder in _folders(walk):
        if folder.parent not in above or folder.name in found or names_ground_truth(folder.name):
            continue
        lost = [item for item in walk.left_out if folder in (item.name, *item.name.parents)]
        if all(_is_trace(item) for item in lost):
            empty.append(folder)
            continue
        lost = [item for item in lost if not _is_trace(item)]
        raise InputError(
            f"the class folder {shown(folder)} in {walk.root} has no usable image: "
            f"{'; '.join(notes_on(lost))}",
            hint="repair it, or move it out of the data folder if it is not a class",
        )
    if not empty:
        return []
    named = ", ".join(shown(folder) for folder in empty[:_MOST_NAMES])
    more = f" and {len(empty) - _MOST_NAMES} more" if len(empty) > _MOST_NAMES else ""
    what = "this class folder is" if len(empty) == 1 else f"these {len(empty)} class folders are"
    return [f"{what} empty and not a class of the model: {named}{more}"]


def refuse_lost_labels(
    root: str, labels: Sequence[str], kept: Sequence[str], reasons: Sequence[tuple[str, str]]
) -> None:
    """Refuse a set of which one class lost all of its files when they were decoded.

    Args:
        root: the set's folder, for the error.
        labels: the classes of all files that were found.
        kept: the classes of those that could be decoded.
        reasons: the label and the reason, with the file's name, of each that could not.

    Raises:
        InputError: a class has none left.
    """
    for label in sorted(set(labels) - set(kept)):
        mine = [reason for owner, reason in reasons if owner == label]
        raise InputError(
            f"none of the {len(mine)} images of class {shown(label)} in {root} is usable "
            f"({mine[0]})",
            hint="repair the files, or remove them if it is not a class",
        )


def _folders(walk: Walk) -> list[PurePosixPath]:
    """Yield all that could be a class folder, entered or not."""
    closed = [
        item.name
        for item in walk.left_out
        if item.folder and item.reason != HIDDEN and item.other is None
    ]
    return [*walk.folders, *closed]


def _is_trace(item: LeftOut) -> bool:
    """Whether it is only what systems and version control leave in an empty folder."""
    return item.reason == HIDDEN and not item.folder and item.name.suffix.lower() not in SUFFIXES


def _refuse_lost_parts(walk: Walk, depth: int) -> None:
    """Refuse a set of which a folder above the classes, such as `train`, cannot be entered."""
    for item in walk.left_out:
        if item.failed and item.folder and len(item.name.parts) <= depth:
            raise InputError(
                f"the folder {shown(item.name)} in {walk.root} cannot be read "
                f"({item.reason}) and may contain classes",
                hint="repair it, or move it out of the data folder",
            )


def _refuse_shared(walk: Walk, depth: int) -> None:
    """Refuse a folder that lies under two classes."""
    for item in walk.left_out:
        if item.other is None:
            continue
        one, other = (name.parts[depth : depth + 1] for name in (item.name, item.other))
        if one and other and one != other:
            raise InputError(
                f"{shown(item.name)} and {shown(item.other)} in {walk.root} are the same "
                f"folder: its images would belong to both {shown(one[0])} and "
                f"{shown(other[0])}",
                hint="remove the link, or point it to a different folder",
            )
