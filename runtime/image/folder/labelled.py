"""Images of a folder with their classes, for training and for the line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from runtime.errors import InputError
from runtime.image.folder.class_folders import check_class_folders
from runtime.image.folder.layouts import (
    Layout,
    arrange,
    find_images,
    known_labels_of,
    labels_of,
    parts_of,
)
from runtime.image.folder.severstal import (
    find_labelled_severstal,
    find_severstal,
    is_meant_as_severstal,
    is_part_of_severstal,
    is_severstal,
)
from runtime.image.folder.walk import walk_images


def find_labelled(folder: Path, *, strict: bool) -> tuple[Layout, dict[str, str]]:
    """The images that have a class, and the class of each file.

    Args:
        strict: refuse what cannot be read instead of leaving it out with a note.

    Raises:
        InputError: no images, names without a class, a class folder that lost all, a damaged
            table of labels, or (strict) a file or folder that cannot be read.
    """
    if is_meant_as_severstal(folder):
        return find_labelled_severstal(folder, strict=strict)
    walk = walk_images(folder, strict=strict)
    layout = arrange(walk)
    files = layout.files
    notes = [*layout.notes, *check_class_folders(walk, layout)]
    if parts := parts_of(files):
        notes.append(f"the folders {', '.join(parts)} were merged into one set and split again")
    layout = replace(layout, notes=tuple(notes))
    return layout, dict(zip(files, labels_of(layout.root, files), strict=True))


def find_unlabelled(folder: Path, *, strict: bool) -> Layout:
    """Read all images, in whatever layout.

    Raises:
        InputError: there are none, the folder cannot be read, or (strict) something in it cannot.
    """
    find = find_severstal if is_severstal(folder) else find_images
    return find(folder, strict=strict)


def find_with_truth(folder: Path) -> tuple[Layout, list[str]]:
    """The images that training would take, and their classes as far as they are known.

    Where training would refuse for the labels alone, all images are taken.

    Returns:
        The layout, and N labels; empty where there is none.

    Raises:
        InputError: there are no images, or the folder cannot be read.
    """
    if is_severstal(folder):
        try:
            layout, labels = find_labelled_severstal(folder, strict=False)
        except InputError as error:
            layout = find_severstal(folder)
            note = f"no image has a class: {error.problem}"
            return replace(layout, notes=(*layout.notes, note)), [""] * len(layout.paths)
        return layout, [labels[file] for file in layout.files]
    layout = find_images(folder)
    if is_part_of_severstal(folder):
        return layout, [""] * len(layout.paths)
    return layout, known_labels_of(layout.root, layout.files)


def class_names(folder: Path, files: Sequence[str]) -> list[str]:
    """The class of each file that was read from `folder`; empty names where there is none."""
    try:
        if is_severstal(folder):
            labels = find_labelled_severstal(folder, strict=False)[1]
            return [labels.get(file, "") for file in files]
        return labels_of(folder, files)
    except InputError:
        return [""] * len(files)
