"""Overlap groups: which pictures show the same piece of metal."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from edgecl.data.dataset import PictureSet
from runtime.errors import InputError

# The first column that is there counts; `edgecl audit` style files say `group`.
GROUP_COLUMNS = ("group", "overlap_group")
FILE_COLUMN = "file"


def read_groups(path: Path) -> dict[str, str]:
    """Read a CSV file with the columns `file` and `group` (or `overlap_group`).

    Returns:
        File name, as it stands in the CSV, to group name.

    Raises:
        InputError: the file cannot be read, is no CSV, or lacks a column.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = reader.fieldnames or []
            column = next((name for name in GROUP_COLUMNS if name in columns), None)
            if column is None or FILE_COLUMN not in columns:
                raise InputError(
                    f"{path} has no columns '{FILE_COLUMN}' and '{GROUP_COLUMNS[0]}' "
                    f"(it has: {', '.join(columns) or 'none'})",
                    mend="name the columns so in its first line",
                )
            return {row[FILE_COLUMN]: row[column] for row in reader}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"cannot read the groups in {path}: {reason}",
            mend="give a CSV file with the columns file and group",
        ) from error


def with_groups(pictures: PictureSet, groups: dict[str, str], *, where: str) -> PictureSet:
    """The same pictures with their groups.

    A picture is looked up by its path relative to the data folder, then by its bare name.

    Args:
        groups: file to group, as `read_groups` gives it.
        where: the CSV's name, for the error.

    Raises:
        InputError: a picture is not in the CSV, or a bare name stands there twice.
    """
    by_name: dict[str, str] = {}
    twice: set[str] = set()
    for file, group in groups.items():
        name = Path(file).name
        if by_name.setdefault(name, group) != group:
            twice.add(name)
    found: list[str] = []
    missing: list[str] = []
    for file in pictures.files:
        name = Path(file).name
        if file in groups:
            found.append(groups[file])
        elif name in by_name and name not in twice:
            found.append(by_name[name])
        else:
            missing.append(file)
    if missing:
        raise InputError(
            f"{len(missing)} of {len(pictures)} pictures have no group in {where} "
            f"(the first is {missing[0]})",
            mend="add them to the file, or leave out --groups",
        )
    return replace(pictures, groups=found)
