"""Overlap groups: which images show the same piece of metal."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from edgecl.data.dataset import ImageSet
from runtime.counting import counted
from runtime.errors import InputError
from runtime.image.folder.notes import shown

# The first column that is there counts; `edgecl audit` style files say `group`.
GROUP_COLUMNS = ("group", "overlap_group")
FILE_COLUMN = "file"

_HINT = "pass a UTF-8 CSV file with the columns file and group"
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def read_groups(path: Path) -> dict[str, str]:
    """Read a CSV file with the columns `file` and `group` (or `overlap_group`).

    Returns:
        File name, as it stands in the CSV, to group name; empty where the cell is blank.

    Raises:
        InputError: the file cannot be read, is no CSV, lacks a column, has a row with too few or
            too many cells, or puts a file into two groups.
    """
    groups: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, file, group in _rows(path):
        before = groups.get(file, "")
        if before and group and before != group:
            raise InputError(
                f"{path}, line {line}: {shown(file)} is in group {shown(group)} here, but "
                f"line {lines[file]} puts it in {shown(before)}",
                hint="keep it in one group; if both groups show the same metal, merge them",
            )
        if group or file not in groups:
            groups[file], lines[file] = group, line
    return groups


def with_groups(dataset: ImageSet, groups: Mapping[str, str], *, where: str) -> ImageSet:
    """Return the same images with their groups, and notes on what the CSV leaves open.

    An image is looked up by its path relative to the data folder, then by its bare name. One
    whose group is blank stands alone.

    Args:
        groups: file to group, as `read_groups` gives it.
        where: the CSV's name, for the error.

    Raises:
        InputError: an image is not in the CSV, or a bare name fits several images.
    """
    rows = _rows_of(dataset.files, groups, where)
    missing = [file for file, row in zip(dataset.files, rows, strict=True) if row is None]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(dataset)} images have no group in {where} (first: "
            f"{shown(missing[0])})",
            hint="add them to the file, or omit --groups",
        )
    named = set(groups.values())
    alone, found = [], []
    for file, row in zip(dataset.files, rows, strict=True):
        group = groups[row or ""]
        if not group:
            alone.append(file)
            group = f"alone: {file}" if file in named else file
        found.append(group)
    notes = list(dataset.notes)
    if alone:
        notes.append(
            f"{counted(len(alone), 'image')} without a group in {where} "
            f"{'stands' if len(alone) == 1 else 'stand'} alone (first: {shown(alone[0])})"
        )
    used = set(rows)
    unused = [row for row in groups if row not in used]
    if unused:
        notes.append(
            f"{counted(len(unused), 'row')} of {where} "
            f"{'names' if len(unused) == 1 else 'name'} no image of this set (first: "
            f"{shown(unused[0])})"
        )
    return replace(dataset, groups=found, notes=tuple(notes))


def _rows_of(files: Sequence[str], groups: Mapping[str, str], where: str) -> list[str | None]:
    """Return, for each file, the name under which the CSV has it."""
    paths = [_plain(file) for file in files]
    exact = set(paths)
    by_name: dict[str, str] = {}
    twice: set[str] = set()
    for row, group in groups.items():
        name = PurePosixPath(row).name
        if row not in exact and groups[by_name.setdefault(name, row)] != group:
            twice.add(name)
    rows: list[str | None] = []
    taken: dict[str, str] = {}
    for path in paths:
        name = PurePosixPath(path).name
        found = None if name in twice else by_name.get(name)
        if path in groups:
            found = path
        if found is not None and taken.setdefault(found, path) != path:
            raise InputError(
                f"{shown(found)} in {where} is ambiguous: it could be "
                f"{shown(taken[found])} or {shown(path)}",
                hint="write paths relative to the data folder, such as crack/1.png",
            )
        rows.append(found)
    return rows


def _plain(file: str) -> str:
    """Normalise a path from any system: `./a/1.png` and `a\\1.png` are `a/1.png`."""
    return PurePosixPath(file.replace("\\", "/").strip()).as_posix()


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield each row's line number, file and group."""
    line = 0
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            _refuse_other_separators(path, stream.readline())
            stream.seek(0)
            reader = csv.reader(stream, strict=True)
            columns = [cell.strip() for cell in next(reader, [])]
            line = reader.line_num
            file_at, group_at = _places(path, columns)
            for cells in reader:
                start, line = line + 1, reader.line_num
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(columns):
                    raise InputError(
                        f"{path}, line {start}: {counted(len(cells), 'cell')} instead of "
                        f"the {len(columns)} in the header",
                        hint="fix the line; quote a file name that contains a comma",
                    )
                if not cells[file_at].strip():
                    raise InputError(
                        f"{path}, line {start}: no file name", hint="complete or remove the line"
                    )
                yield start, _plain(cells[file_at]), cells[group_at].strip()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = str(error)
        if isinstance(error, OSError):
            reason = error.strerror or reason
        elif isinstance(error, UnicodeDecodeError):
            reason = "it is not UTF-8 text"
        else:
            reason = f"{reason} after line {line}"
        raise InputError(f"cannot read the groups in {path}: {reason}", hint=_HINT) from error


def _refuse_other_separators(path: Path, header: str) -> None:
    if FILE_COLUMN in (cell.strip(' "\r\n') for cell in header.split(",")):
        return
    for separator, name in _OTHER_SEPARATORS.items():
        if FILE_COLUMN in (cell.strip(' "\r\n') for cell in header.split(separator)):
            raise InputError(
                f"{path} uses {name} as its separator", hint="save it with commas as separators"
            )


def _places(path: Path, columns: Sequence[str]) -> tuple[int, int]:
    """Return the columns of file and group."""
    column = next((name for name in GROUP_COLUMNS if name in columns), None)
    if column is None or FILE_COLUMN not in columns:
        raise InputError(
            f"{path} lacks the columns '{FILE_COLUMN}' and '{GROUP_COLUMNS[0]}' (found: "
            f"{', '.join(map(shown, columns)) or 'none'})",
            hint="put these column names in the first line",
        )
    for name in (FILE_COLUMN, column):
        if columns.count(name) > 1:
            raise InputError(
                f"{path} has the column '{name}' more than once", hint="remove the duplicate"
            )
    return columns.index(FILE_COLUMN), columns.index(column)
