"""Keeping of a check in an archive that no stream writes to."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from runtime.errors import EquipmentError
from runtime.stream.archive.writer import ArchiveWriter
from runtime.stream.checking.report import CheckReport
from runtime.stream.sinks.base import StreamFacts
from runtime.stream.sinks.sqlite import kept


def keep_in_archive(path: Path, report: CheckReport) -> None:
    """Add a report to an archive; it is made where it is not there.

    Raises:
        InputError: it cannot be written, or a stream writes to it, which keeps its own checks.
        EquipmentError: the disk failed.
    """
    facts = StreamFacts(model=report.model, digest=report.digest)
    writer = ArchiveWriter(path, facts, report=lambda text: None)
    try:
        writer.open()
        writer.add_check(kept(report))
        writer.finish(0, 0)
    except sqlite3.Error as error:
        raise EquipmentError(
            f"the check was not kept in {path}: {error}",
            hint="free some space on its disk",
            code="disk-failing",
        ) from error
    finally:
        writer.close()
