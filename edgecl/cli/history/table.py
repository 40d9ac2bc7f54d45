"""The counts of a history as CSV."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InputError
from runtime.files.atomic import replacing
from runtime.files.table import new_table
from runtime.stream.archive.history import History


def write_csv(path: Path, history: History) -> None:
    """Write a row per group, status and label, in place of what was there.

    Raises:
        InputError: the file is the archive, or cannot be written.
    """
    if path.is_dir():
        raise InputError(f"--csv {path} is a folder", hint="pass a file")
    if path.exists() and path.samefile(history.archive):
        raise InputError(f"--csv {path} is the archive itself", hint="choose another file")
    with replacing(path) as temporary, new_table(temporary) as write:
        write((history.by, "status", "label", "count"))
        for group in history.groups:
            for label, counts in group.labels.items():
                for status, count in counts.items():
                    write((group.name, status, label, count))
