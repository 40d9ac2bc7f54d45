"""Verdicts as rows of an SQLite archive, which outlives the stream."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from runtime.errors import EdgeclError, EquipmentError
from runtime.files.databases import is_damage
from runtime.progress import Say
from runtime.stream.archive.writer import ArchiveWriter, ConnectDatabase, KeptCheck
from runtime.stream.budget import TOTAL
from runtime.stream.checking.report import CheckReport
from runtime.stream.sinks.base import Sink, SinkRequest, StreamFacts
from runtime.stream.sinks.waiting import WaitingQueue, flush_until
from runtime.stream.verdict import Verdict

LOG = logging.getLogger("edgecl.sinks")

PERIOD_S = 0.25
"""Longest wait of a verdict before it is written, in seconds. Each transaction waits for the disk,
and wears a flash."""

RETRY_S = 1.0
WAITING_CHECKS = 100
WAITING_ROWS = 10_000
CLOSE_S = 10.0
BATCH = 500
"""Rows of one transaction at most."""


class SqliteSink(Sink):
    """Adds a row per verdict to an archive, from a thread of its own.

    Whatever happens to the disk, the stream is neither stopped nor slowed. Rows that cannot be
    written wait, up to `capacity`, and are tried again; what does not fit is lost and counted.

    Args:
        path: the archive; it may hold earlier streams.
        facts: of the stream.
        folder: of the stream.
        labels: the model's class names.
        capacity: verdicts that may wait for the disk.
        report: is told what was found in the archive and done about it.
        connect: `sqlite3.connect`; tests hand in a broken one.

    Attributes:
        written: rows that are on the disk.

    Raises:
        InputError: it cannot be written, is another program's or of a newer schema, or is held by
            another stream or program.
    """

    name = "sqlite"
    isolated = True

    def __init__(
        self,
        path: Path,
        facts: StreamFacts,
        *,
        folder: Path = Path(),
        labels: Sequence[str] = (),
        capacity: int = WAITING_ROWS,
        report: Say = lambda text: None,
        connect: ConnectDatabase = sqlite3.connect,
    ) -> None:
        self.path = path
        self.written = 0
        self.problem = ""
        self._waiting: WaitingQueue[Verdict] = WaitingQueue(capacity)
        self._checks: deque[KeptCheck] = deque(maxlen=WAITING_CHECKS)
        self._refused = 0  # of which no row could be made
        self._closing = threading.Event()
        self._alone = 0  # verdicts that are written one by one, for one of them is at fault
        self._archive = ArchiveWriter(
            path, facts, folder=folder, labels=labels, report=report, connect=connect
        )
        try:
            self._archive.open()
        except (sqlite3.Error, EquipmentError) as error:
            # A full disk keeps no stream from judging.
            self.problem = _words_of(error)
            report(f"note: {path} cannot be written yet ({self.problem}); it is tried again")
        except BaseException:
            self._archive.close()
            raise
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:  # type: ignore[override]
        """Verdicts that the disk has cost, or that have no row."""
        return self._waiting.lost + self._refused

    def emit(self, verdict: Verdict) -> None:
        """Leave a verdict for the writer. With no room left, the oldest that waits is lost."""
        self._waiting.put(verdict)

    def keep_check(self, report: CheckReport) -> None:
        """Leave the report of a check for the writer; the newest hundred wait for the disk."""
        self._checks.append(kept(report))

    def close(self) -> None:
        """Write what waits, once, and close the archive. Closing twice is fine."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join(timeout=CLOSE_S)
        self._waiting.abandon()  # of a disk that hangs

    def _run(self) -> None:
        flush_until(self._closing, self._flush, period_s=PERIOD_S, retry_s=RETRY_S)
        self._waiting.abandon()
        try:
            self._archive.finish(self.written, self.lost)
        except sqlite3.Error as error:
            self._note(error)
        self._archive.close()

    def _flush(self) -> bool:
        """Write all that waits; False when it was refused."""
        try:
            while self._checks:
                self._archive.add_check(self._checks[0])
                self._checks.popleft()
        except Exception as error:  # the thread must live
            self._note(error)
            if not _is_worth_another_try(error):
                self._checks.clear()
        while batch := self._take():
            try:
                self._archive.add(_rows_of(batch))
            except Exception as error:  # the thread must live, whatever a row is
                self._note(error)
                if _is_worth_another_try(error):
                    self._waiting.put_back(batch)
                    return False
                if len(batch) > 1:
                    self._alone = len(batch)
                    self._waiting.put_back(batch)
                else:
                    self._refused += 1
            else:
                self.written += len(batch)
        return True

    def _take(self) -> list[Verdict]:
        most, self._alone = (1, self._alone - 1) if self._alone else (BATCH, 0)
        return self._waiting.take(most)

    def _note(self, error: Exception) -> None:
        problem = _words_of(error)
        if problem != self.problem:  # a full disk would fill the log
            LOG.warning("sink %s: %s", self.name, problem)
        self.problem = problem


class _RowError(Exception):
    """A verdict has no row."""


def _rows_of(batch: Sequence[Verdict]) -> list[tuple[Any, ...]]:
    try:
        return [row_of(verdict) for verdict in batch]
    except Exception as error:  # an OSError as well, of a date that no clock has
        raise _RowError(str(error)) from error


def _words_of(error: Exception) -> str:
    return error.problem if isinstance(error, EdgeclError) else str(error)


def _is_worth_another_try(error: Exception) -> bool:
    """Whether the disk, or another program, may be to blame, and not the rows."""
    if isinstance(error, sqlite3.Error):
        return isinstance(error, sqlite3.OperationalError) or is_damage(error)
    return isinstance(error, (OSError, EdgeclError))


def row_of(verdict: Verdict) -> tuple[Any, ...]:
    """Return a verdict as a row, with the values of its line in `verdicts.jsonl`."""
    line = verdict.line()
    tile = None if line.worst_tile is None else msgspec.json.encode(line.worst_tile).decode()
    return (
        line.camera,
        line.frame,
        line.captured_at,
        line.status.value,
        line.label,
        line.confidence,
        line.reason,
        line.late,
        None if line.answer is None else line.answer.value,
        line.name,
        line.steps_ns.get(TOTAL),
        line.steps_ns.get("infer"),
        tile,
        line.distance,
        line.recipe,
        line.digest,
    )


def kept(report: CheckReport) -> KeptCheck:
    """Return a check as an archive keeps it."""
    text = msgspec.json.encode(report).decode()
    return KeptCheck(report.made_at, report.passed, report.recipe, report.digest, text)


def open_sqlite(request: SinkRequest) -> Sink:
    """Open the sink of `--sink sqlite:FILE`."""
    path = request.file("a file name, as in sqlite:/var/lib/edgecl/line.sqlite")
    return SqliteSink(
        path,
        request.stream,
        folder=request.folder.absolute(),
        labels=request.labels,
        report=request.report,
    )
