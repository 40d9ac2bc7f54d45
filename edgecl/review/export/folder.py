"""The data folder: images by class, their groups, and where each of them is from."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from edgecl.data.audit.findings import audit
from edgecl.data.audit.sets import read_sets
from edgecl.data.overlaps.joining import join
from edgecl.review.agreed import AgreedImage, AgreedImages
from edgecl.review.collected import CollectedImage
from edgecl.review.export.documents import ReviewExport
from edgecl.review.export.events import links_of_events
from runtime.counting import counted
from runtime.errors import InputError
from runtime.files.atomic import replacing_folder
from runtime.files.output_folder import own_folder
from runtime.files.table import new_table
from runtime.image.folder.labelled import find_labelled
from runtime.image.folder.layouts import ground_truth
from runtime.image.folder.notes import shown
from runtime.progress import StageProgress

GROUPS, ORIGINS = "groups.csv", "review.csv"
COLUMNS = ("file", "sha256", "label", "source", "reviewers", "decided_at")

_LONGEST = 120


@dataclass(frozen=True)
class _Written:
    """A file of the data folder: its name in it, and where it is from."""

    name: str
    digest: str
    label: str
    path: Path
    source: str
    reviewers: tuple[str, ...] = ()
    at: str = ""
    collected: CollectedImage | None = None


def require_place(out: Path, *sources: Path) -> None:
    """Refuse a data folder that holds anything but an earlier export.

    Raises:
        InputError: it does, or it lies in a folder whose images are read, or the other way round.
    """
    place = out.resolve()
    for source in (folder.resolve() for folder in sources):
        if place == source or source in place.parents or place in source.parents:
            raise InputError(
                f"--export {out} and {source} must not contain each other",
                hint="choose a folder elsewhere",
            )
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"--export {out} is a file", hint="choose a new folder")
    here = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    strange = here - {GROUPS, ORIGINS} - _listed(out / ORIGINS)
    if here and (ORIGINS not in here or strange):
        first = min(strange or here)
        raise InputError(
            f"--export {out} holds other files (first: {shown(first)})",
            hint="choose a new folder, or one that only an earlier export has written",
        )


def write_data_folder(
    agreed: AgreedImages,
    folder: Path,
    out: Path,
    report: StageProgress,
    labelled: Path | None = None,
) -> ReviewExport:
    """Write the images that reviewers agree on by class, in place of an earlier export.

    Args:
        folder: that was reviewed.
        labelled: a folder whose images are written beside them, under their labels.

    Raises:
        InputError: nothing is agreed on, an image changed meanwhile, or `out` cannot be written.
    """
    if not agreed.images:
        raise InputError(
            f"reviewers agree on no image of {folder} ({_left_out(agreed)})",
            hint=f"decide more of them: edgecl review {folder}",
        )
    require_place(out, folder, *(() if labelled is None else (labelled,)))
    files = _named([*_of_review(agreed.images), *_of_labelled(labelled, agreed.images)])
    with own_folder(out), replacing_folder(out) as temporary:
        for number, file in enumerate(files):
            _copy(file, temporary / file.name)
            report("copying", number + 1, len(files), str(out))
        groups = _groups(files, temporary, report)
        _write_tables(temporary, files, groups)
    sizes = Counter(groups)
    notes = []
    classes = {file.label for file in files}
    if len(classes) < 2:
        notes.append(f"only one class ({classes.pop()}): training needs at least two")
    if agreed.gone:
        notes.append(
            f"{counted(agreed.gone, 'decided image')} no longer in {folder}: its limits may "
            "have removed them, or they were moved"
        )
    return ReviewExport(
        folder=str(folder),
        out=str(out),
        images=dict(sorted(Counter(entry.label for entry in agreed.images).items())),
        labelled=len(files) - len(agreed.images),
        groups=len(sizes),
        largest_group=max(sizes.values()),
        disagreements=agreed.disagreements,
        dont_know=agreed.dont_know,
        under_heat_maps=agreed.under_heat_maps,
        gone=agreed.gone,
        reviewers=agreed.reviewers,
        notes=tuple(notes),
    )


def _left_out(agreed: AgreedImages) -> str:
    return (
        f"{agreed.disagreements} with disagreements, {agreed.dont_know} that nobody knows, "
        f"{agreed.under_heat_maps} under heat maps, {agreed.gone} gone"
    )


def _of_review(images: Sequence[AgreedImage]) -> list[_Written]:
    return [
        _Written(
            entry.image.file,
            entry.digest,
            entry.label,
            entry.image.path,
            entry.image.file,
            entry.reviewers,
            entry.at,
            entry.image,
        )
        for entry in images
    ]


def _of_labelled(labelled: Path | None, reviewed: Sequence[AgreedImage]) -> list[_Written]:
    """Return the images that had labels before; one that was reviewed goes by its review."""
    if labelled is None:
        return []
    layout, labels = find_labelled(labelled, strict=False)
    known = {entry.digest for entry in reviewed}
    found = []
    for path, file in zip(layout.paths, layout.files, strict=True):
        digest = hashlib.sha256(_bytes_of(path)).hexdigest()
        if digest not in known:
            found.append(_Written(file, digest, labels[file], path, str(path)))
    return found


def _named(files: Sequence[_Written]) -> list[_Written]:
    """Give each file a name of its own in the folder of its class."""
    plain = [f"{file.label}/{_plain(file.name)}" for file in files]
    often = Counter(plain)
    masks = {str(name) for name in ground_truth([PurePosixPath(name) for name in plain])}
    named = []
    for file, name in zip(files, plain, strict=True):
        if often[name] > 1 or name in masks:
            path = PurePosixPath(name)
            name = f"{file.label}/{path.stem}-{file.digest[:16]}{path.suffix}"
        named.append(
            _Written(
                name,
                file.digest,
                file.label,
                file.path,
                file.source,
                file.reviewers,
                file.at,
                file.collected,
            )
        )
    return named


def _plain(file: str) -> str:
    path = PurePosixPath(file)
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem).lstrip(".")[:_LONGEST] or "image"
    return stem + path.suffix.lower()


def _copy(file: _Written, to: Path) -> None:
    data = _bytes_of(file.path)
    if hashlib.sha256(data).hexdigest() != file.digest:
        raise InputError(
            f"{file.path} changed while it was exported", hint="export again when it is at rest"
        )
    to.parent.mkdir(exist_ok=True)
    to.write_bytes(data)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}",
            hint="export again once the folder stays as it is",
        ) from error


def _groups(files: Sequence[_Written], folder: Path, report: StageProgress) -> list[int]:
    """Return the group of each file: near copies, overlaps, and frames of one event."""
    rows = {file.name: row for row, file in enumerate(files)}
    first: list[int] = []
    second: list[int] = []
    reviewed = [row for row, file in enumerate(files) if file.collected is not None]
    collected = [files[row].collected for row in reviewed]
    for one, other in links_of_events([image for image in collected if image is not None]):
        first.append(reviewed[one])
        second.append(reviewed[other])
    if len(files) > 1:
        found = audit(read_sets([folder], report), report)
        starts: dict[int, int] = {}
        for name, group in zip(found.sets.files, found.groups.tolist(), strict=True):
            row = rows[name]
            start = starts.setdefault(group, row)
            if start != row:
                first.append(start)
                second.append(row)
    ends = np.array(first, np.int64), np.array(second, np.int64)
    groups: list[int] = join(*ends, len(files)).tolist()
    return groups


def _write_tables(folder: Path, files: Sequence[_Written], groups: Sequence[int]) -> None:
    with new_table(folder / GROUPS) as write:
        write(("file", "group"))
        for file, group in zip(files, groups, strict=True):
            write((file.name, group))
    with new_table(folder / ORIGINS) as write:
        write(COLUMNS)
        for file in files:
            who = "; ".join(file.reviewers)
            write((file.name, file.digest, file.label, file.source, who, file.at))


def _listed(path: Path) -> set[str]:
    try:
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as stream:
            return {row["file"] for row in csv.DictReader(stream) if row.get("file")}
    except (OSError, csv.Error):
        return set()
