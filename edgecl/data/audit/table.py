"""Table of groups, which `edgecl train --groups` takes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from edgecl.data.audit.findings import Audit, Link
from edgecl.data.known import fingerprints
from runtime.files.atomic import write_text

_COLUMNS = ("file", "group", "set", "class", "kind", "correlation", "partner", "fingerprint")


def write_groups(path: Path, found: Audit) -> None:
    """Write a row per image: its group, and the strongest of its links.

    With several sets, files are named with their set's folder in front.

    Raises:
        InputError: the file cannot be written.
    """
    dataset = found.sets
    best: dict[int, tuple[Link, int]] = {}
    for link in sorted(found.links, key=lambda link: -link.correlation):
        best.setdefault(link.first, (link, link.second))
        best.setdefault(link.second, (link, link.first))
    many = len(dataset.folders) > 1

    def shown(row: int) -> str:
        folder = dataset.folders[dataset.set_of[row]].resolve().name
        return f"{folder}/{dataset.files[row]}" if many else dataset.files[row]

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    marks = fingerprints(dataset.images)
    for row in range(len(dataset.files)):
        kept = best.get(row)
        writer.writerow(
            (
                shown(row),
                found.groups[row],
                dataset.folders[dataset.set_of[row]].resolve().name,
                dataset.names[row],
                kept[0].kind if kept else "",
                f"{kept[0].correlation:.3f}" if kept else "",
                shown(kept[1]) if kept else "",
                f"{marks[row]:016x}",
            )
        )
    write_text(path, text.getvalue())
