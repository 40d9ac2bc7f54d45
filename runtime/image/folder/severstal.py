"""Severstal's steel strips: a table of run lengths per class beside two folders of images.

Source: the set of "Severstal: Steel Defect Detection" (2019): `train.csv`, `train_images/` and
`test_images/`, images of 1600×256. Two forms of the table were published:

- `ImageId_ClassId,EncodedPixels`: four rows per image (`0002cc93b.jpg_1`), empty where the
  image does not show that class.
- `ImageId,ClassId,EncodedPixels`: a row per image and class that it shows; an image without a
  row has no defect.

`EncodedPixels` holds pairs of a start (from 1, down the columns) and a length. A classifier of
whole images needs one label each: `none`, or the class with the largest area.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runtime.counting import counted
from runtime.errors import InputError
from runtime.image.decode import SUFFIXES
from runtime.image.folder.layouts import Layout, no_images
from runtime.image.folder.notes import notes_on, shown
from runtime.image.folder.walk import Walk, walk_images

TABLE = "train.csv"
TRAIN_IMAGES = "train_images"
TEST_IMAGES = "test_images"
OLD_COLUMNS = ("ImageId_ClassId", "EncodedPixels")
NEW_COLUMNS = ("ImageId", "ClassId", "EncodedPixels")
CLASSES = ("1", "2", "3", "4")
NO_DEFECT = "none"
# Of an image of 1600×256 whose every second pixel starts a run, with room to spare.
LONGEST_FIELD = 4_000_000


@dataclass(frozen=True)
class Table:
    """Content of train.csv.

    Args:
        areas: image to class to pixels; an image without defects has no classes.
        complete: every image has rows, so that one without is not known to be free of defects.
    """

    areas: Mapping[str, Mapping[str, int]]
    complete: bool

    def label(self, image: str) -> str:
        """`none`, or `defect_` and the class of the largest area (the lowest of equal ones)."""
        areas = self.areas.get(image, {})
        if not areas:
            return NO_DEFECT
        return f"defect_{min(areas, key=lambda number: (-areas[number], number))}"


def is_severstal(folder: Path) -> bool:
    """Whether `folder` holds train.csv with columns of either form."""
    columns = _columns(folder / TABLE)
    return _holds(columns, OLD_COLUMNS) or _holds(columns, NEW_COLUMNS)


def is_meant_as_severstal(folder: Path) -> bool:
    """Whether it is Severstal's set, or would be if the columns of train.csv were right.

    Raises:
        InputError: it is the set's folder of images, without the table beside it.
    """
    if is_severstal(folder):
        return True
    above = folder.absolute().parent
    if is_part_of_severstal(folder):
        raise InputError(
            f"{folder} is part of the Severstal set, whose labels are in {TABLE} above it",
            hint=f"pass {above}",
        )
    try:
        return (folder / TABLE).is_file() and any(
            path.suffix.lower() in SUFFIXES for path in (folder / TRAIN_IMAGES).iterdir()
        )
    except OSError:
        return False


def is_part_of_severstal(folder: Path) -> bool:
    """Whether it is one of the set's folders of images, with the table in the folder above."""
    return folder.name in (TRAIN_IMAGES, TEST_IMAGES) and is_severstal(folder.absolute().parent)


def find_severstal(folder: Path, *, strict: bool = False) -> Layout:
    """Find all images of both parts, whatever train.csv says of them.

    Raises:
        InputError: there are none, or (strict) something in the folder cannot be read.
    """
    walk = walk_images(folder, strict=strict)
    names = [name for part in (TRAIN_IMAGES, TEST_IMAGES) for name in _part(walk, part)]
    notes = _notes_on(walk)
    if not names:
        raise no_images(folder, notes, hint=f"put {TRAIN_IMAGES} next to {TABLE}")
    if others := [name for name in walk.images if name not in set(names)]:
        notes.append(
            f"skipped {counted(len(others), 'image')} outside {TRAIN_IMAGES} and "
            f"{TEST_IMAGES} (first: {shown(others[0])})"
        )
    return Layout(folder, [folder / name for name in names], tuple(notes))


def find_labelled_severstal(folder: Path, *, strict: bool) -> tuple[Layout, dict[str, str]]:
    """The images of the train part and their labels.

    Images that the table names and that are not there, and those that a table of the old form
    does not name, are left out with a note.

    Args:
        strict: refuse them instead.

    Returns:
        The layout, and file to label.

    Raises:
        InputError: no images, other columns, or a damaged row.
    """
    images, path = folder / TRAIN_IMAGES, folder / TABLE
    if not images.is_dir():
        raise InputError(
            f"{path} is from the Severstal set, but there is no folder {TRAIN_IMAGES} next to it",
            hint=f"unpack the images into {images}",
        )
    table = read_table(path)
    walk = walk_images(folder, strict=strict)
    found = [name.relative_to(TRAIN_IMAGES).as_posix() for name in _part(walk, TRAIN_IMAGES)]
    notes = _disagreements(table, found)
    if strict and notes:
        raise InputError(
            f"{folder}: {notes[0]}",
            hint="make the two match, or omit --strict to continue without these images",
        )
    notes += _notes_on(walk)
    kept = [name for name in found if name in table.areas or not table.complete]
    if not kept:
        raise no_images(
            images, _notes_on(walk), hint=f"unpack the images listed in {TABLE} into it"
        )
    if others := [name for name in walk.images if name.parts[0] != TRAIN_IMAGES]:
        notes.append(
            f"skipped {counted(len(others), 'image')} outside {TRAIN_IMAGES}, which "
            f"{TABLE} does not cover (first: {shown(others[0])})"
        )
    several = sum(len(table.areas.get(name, ())) > 1 for name in kept)
    if several:
        notes.append(
            f"{several} of {len(kept)} images show defects of several classes; each gets "
            "the class with the largest area"
        )
    layout = Layout(folder, [images / name for name in kept], tuple(notes))
    return layout, {f"{TRAIN_IMAGES}/{name}": table.label(name) for name in kept}


def _part(walk: Walk, part: str) -> list[PurePosixPath]:
    return [name for name in walk.images if name.parts[0] == part]


def _notes_on(walk: Walk) -> list[str]:
    return notes_on([item for item in walk.left_out if item.name != PurePosixPath(TABLE)])


def _disagreements(table: Table, found: Sequence[str]) -> list[str]:
    """Return notes on images of the table that are missing, and the other way round."""
    notes, there = [], set(found)
    missing = [name for name in table.areas if name not in there]
    if missing:
        notes.append(
            f"{len(missing)} of the {len(table.areas)} images in {TABLE} are not in "
            f"{TRAIN_IMAGES} (first: {missing[0]})"
        )
    unnamed = [name for name in found if name not in table.areas] if table.complete else []
    if unnamed:
        notes.append(
            f"{len(unnamed)} of the {len(found)} images in {TRAIN_IMAGES} are not in "
            f"{TABLE} (first: {unnamed[0]})"
        )
    return notes


def read_table(path: Path) -> Table:
    """Read train.csv in either form.

    Raises:
        InputError: it cannot be read, has other columns, or a damaged row, which is named.
    """
    areas: dict[str, Counter[str]] = {}
    columns = _columns(path)
    old = _holds(columns, OLD_COLUMNS)
    if not old and not _holds(columns, NEW_COLUMNS):
        raise InputError(
            f"{path} has neither the columns {','.join(OLD_COLUMNS)} nor "
            f"{','.join(NEW_COLUMNS)} (found: {', '.join(columns) or 'none'})",
            hint=f"restore the original {TABLE}",
        )
    for line, row in _rows(path):
        try:
            name, number = _image_and_class(row, old=old)
            area = area_of(row["EncodedPixels"] or "")
        except ValueError as error:
            raise InputError(
                f"{path}, line {line}: {error}",
                hint=f"fix the line, or restore the original {TABLE}",
            ) from error
        counted = areas.setdefault(name, Counter())
        if area:
            counted[number] += area
    return Table(areas, complete=old)


def area_of(run_lengths: str) -> int:
    """Pixels that a run-length text covers: pairs of a start from 1 and a length.

    Raises:
        ValueError: it is no such text.
    """
    numbers = run_lengths.split()
    if not all(number.isascii() and number.isdecimal() and int(number) > 0 for number in numbers):
        raise ValueError("EncodedPixels must contain whole numbers above 0")
    if len(numbers) % 2:
        raise ValueError("EncodedPixels must contain pairs of start and length; one is incomplete")
    return sum(map(int, numbers[1::2]))


def _image_and_class(row: Mapping[str, str | None], *, old: bool) -> tuple[str, str]:
    if any(row[column] is None for column in (OLD_COLUMNS if old else NEW_COLUMNS)):
        raise ValueError("the row is incomplete")
    if old:
        name, _, number = (row["ImageId_ClassId"] or "").rpartition("_")
    else:
        name, number = row["ImageId"] or "", row["ClassId"] or ""
    name, number = name.strip(), number.strip()
    if not name:
        raise ValueError("no image name")
    if number not in CLASSES:
        raise ValueError(f"the class {number!r} is not one of {', '.join(CLASSES)}")
    return name, number


def _columns(path: Path) -> list[str]:
    """The table's first line; empty where there is none, or it is not text."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            return next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _holds(columns: list[str], wanted: tuple[str, ...]) -> bool:
    return set(wanted) <= set(columns)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Yield each row with its line number."""
    before = csv.field_size_limit(LONGEST_FIELD)
    line = 1
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            for row in reader:
                line = reader.line_num
                yield line, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"cannot read {path} after line {line}: {reason}",
            hint=f"restore the original {TABLE}",
        ) from error
    finally:
        csv.field_size_limit(before)
