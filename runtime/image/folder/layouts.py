"""Layouts of image folders, and the class of each image.

Class folders, NEU's flat names, and the public sets as they are published:

- NEU-DET: `train/images/CLASS/…`, `train/annotations/*.xml`, and so for `validation`; or `IMAGES/`
  beside `ANNOTATIONS/`.
- GC10-DET: the folders `1` to `10` beside `lable/*.xml`.
- SD-saliency-900 and its like: `Source Images` or `images` beside `Ground truth` or `masks`.

Ground truth is never taken for images. Which of two is which, file names alone decide.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runtime.errors import InputError
from runtime.image.folder.notes import notes_on, shown
from runtime.image.folder.walk import Walk, walk_images

# Names of folders, in lower case and with blanks. These hold all of a set's images,
IMAGES = frozenset(
    {"image", "images", "img", "imgs", "jpegimages", "source image", "source images"}
    | {"train images", "training images", "validation images", "test images"}
    | {"img train", "img test"}
)
# or those of one part,
PARTS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
CONTAINERS = IMAGES | PARTS
# and these ground truth, wherever they stand beside images,
MASKS = frozenset({"mask", "masks", "ground truth", "groundtruth", "gt", "gt train", "gt test"})
# or where they stand beside one of the above: elsewhere they could be a class.
ANNOTATIONS = frozenset({"annotation", "annotations", "label", "labels", "lable"})
# crack_12_mask.png beside crack_12.png is ground truth, too.
_MASK_SUFFIX = re.compile(r"^(?P<stem>.+)[_-](?:gt|mask|label)$", re.IGNORECASE)

# NEU's flat names: rolled-in_scale_12.jpg is image 12 of rolled-in_scale.
_FLAT_NAME = re.compile(r"^(?P<label>.*[^\d_-])[_-]?\d+$")

# Folder numbers of GC10-DET (Lv et al., Sensors 2020).
GC10_ANNOTATIONS = "lable"
GC10_CLASSES = {
    "1": "punching_hole",
    "2": "welding_line",
    "3": "crescent_gap",
    "4": "water_spot",
    "5": "oil_spot",
    "6": "silk_spot",
    "7": "inclusion",
    "8": "rolled_pit",
    "9": "crease",
    "10": "waist_folding",
}


@dataclass(frozen=True)
class Layout:
    """Images of a folder.

    Args:
        root: the folder that file names are relative to.
        paths: the images, in natural order.
        notes: what a reader of the results must know.
    """

    root: Path
    paths: Sequence[Path]
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> list[str]:
        """The images' names, relative to the root."""
        return [path.relative_to(self.root).as_posix() for path in self.paths]


def find_images(folder: Path, *, strict: bool = False) -> Layout:
    """Find all images under `folder`, in whatever layout, without ground truth and hidden files.

    Raises:
        InputError: no such folder, it cannot be read, there are none in it, or (strict) something
            in it cannot be read.
    """
    return arrange(walk_images(folder, strict=strict))


def arrange(walk: Walk) -> Layout:
    """The layout of a folder that was walked.

    Raises:
        InputError: there are no images in it.
    """
    folder, names = walk.root, list(walk.images)
    notes = notes_on(walk.left_out)
    if not names:
        raise no_images(
            folder,
            notes,
            hint="pass a folder of JPEG, PNG, BMP, TIFF, WebP or PNM files; to train, use "
            "one folder per class or names like crazing_12.jpg",
        )
    aside = ground_truth(names)
    names = [name for name in names if name not in aside]
    if aside:
        first = shown(min(aside))
        notes.append(f"{len(aside)} ground-truth images were skipped (first: {first})")
    root = folder
    while len(tops := {name.parts[0] for name in names}) == 1 and all_contained(names):
        root = root / tops.pop()
        names = [name.relative_to(name.parts[0]) for name in names]
    return Layout(root, [root / name for name in names], tuple(notes))


def labels_of(root: Path, files: Sequence[str]) -> list[str]:
    """The class of each file, from its folder or from its flat name.

    Folders such as `train` and `images` are no classes; below them comes the class.

    Args:
        root: what the files are relative to.

    Raises:
        InputError: loose images beside class folders, or a flat name without a class.
    """
    names = within_containers(files)
    loose = [row for row, name in enumerate(names) if len(name.parts) == 1]
    if loose and len(loose) != len(names):
        raise InputError(
            f"{root} contains both class folders and loose images ({shown(files[loose[0]])})",
            hint="move the loose images into their class folders",
        )
    labels = known_labels_of(root, files)
    if "" in labels:
        raise InputError(
            f"{shown(root / files[labels.index('')])} has no class: its name does not "
            "match CLASS_NUMBER",
            hint="sort the images into one folder per class",
        )
    return labels


def known_labels_of(root: Path, files: Sequence[str]) -> list[str]:
    """Return the labels like `labels_of`, with empty names for files without a class."""
    names = within_containers(files)
    if all(len(name.parts) == 1 for name in names):
        return [flat_label(name.stem) for name in names]
    labels = [name.parts[0] if len(name.parts) > 1 else "" for name in names]
    if (root / GC10_ANNOTATIONS).is_dir() and set(labels) - {""} <= set(GC10_CLASSES):
        return [GC10_CLASSES.get(label, "") for label in labels]
    return labels


def flat_label(stem: str) -> str:
    """`crazing` of crazing_12, good of good12; empty where the name has no class."""
    match = _FLAT_NAME.match(stem)
    return match["label"].rstrip("_-") if match else ""


def within_containers(files: Sequence[str]) -> list[PurePosixPath]:
    """The names from the class on, below folders such as `train` and `images`."""
    names = [PurePosixPath(file) for file in files]
    while all_contained(names):
        names = [name.relative_to(name.parts[0]) for name in names]
    return names


def parts_of(files: Sequence[str]) -> list[str]:
    """The folders that are parts of one set, such as `train` and `validation`; or none."""
    names = [PurePosixPath(file) for file in files]
    tops = sorted({name.parts[0] for name in names})
    return tops if len(tops) > 1 and all_contained(names) else []


def ground_truth(names: Sequence[PurePosixPath]) -> set[PurePosixPath]:
    """Return which images are masks or drawn annotations, by their folders' and own names."""
    folders: defaultdict[PurePosixPath, set[str]] = defaultdict(set)
    stems: defaultdict[PurePosixPath, set[str]] = defaultdict(set)
    for name in names:
        stems[name.parent].add(name.stem)
        for folder in name.parents[:-1]:
            folders[folder.parent].add(_plain(folder.name))

    def beside_images(folder: PurePosixPath) -> bool:
        name, others = _plain(folder.name), folders[folder.parent] - MASKS - ANNOTATIONS
        if name not in MASKS | ANNOTATIONS:
            return False
        if folder.parent in stems:
            return True
        return bool(others if name in MASKS else others & CONTAINERS)

    def beside_its_image(name: PurePosixPath) -> bool:
        match = _MASK_SUFFIX.match(name.stem)
        return match is not None and match["stem"] in stems[name.parent]

    answers = {folder: beside_images(folder) for name in names for folder in name.parents[:-1]}
    return {
        name
        for name in names
        if any(answers[folder] for folder in name.parents[:-1]) or beside_its_image(name)
    }


def no_images(folder: Path, notes: Sequence[str] = (), *, hint: str) -> InputError:
    """The error for a folder without images.

    Args:
        notes: what was left out of it.
    """
    why = f" ({'; '.join(notes)})" if notes else ""
    return InputError(f"no images in {folder}{why}", hint=hint)


def all_contained(names: Sequence[PurePosixPath]) -> bool:
    """Whether every image lies in a folder that is not a class, such as `train` or `images`."""
    return bool(names) and all(
        len(name.parts) > 1 and _plain(name.parts[0]) in CONTAINERS for name in names
    )


def names_ground_truth(folder: str) -> bool:
    """Whether a folder of this name may hold masks or annotations."""
    return _plain(folder) in MASKS | ANNOTATIONS


def _plain(folder: str) -> str:
    return folder.lower().replace("_", " ").replace("-", " ")
