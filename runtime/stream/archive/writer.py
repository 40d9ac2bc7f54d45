"""Writing of an archive: held by one stream, recovered when it is opened, one transaction a batch.

Every transaction is on the disk before `add` returns (SQLite's `synchronous=FULL` in WAL mode):
what was taken survives a killed process and a power cut, whole or not at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from runtime.errors import InputError
from runtime.files.atomic import explained
from runtime.files.databases import is_damage, is_locked, move_aside, transaction
from runtime.progress import Say
from runtime.stream.archive.database import schema_of
from runtime.stream.archive.holding import hold, is_ours, mark_as_ours, require_archive_or_nothing
from runtime.stream.archive.schema import APPLICATION_ID, NEWEST, STEPS
from runtime.stream.sinks.base import StreamFacts

START_WAIT_S = 5.0
"""Longest wait for another program's transaction when a stream begins, in seconds."""

WAIT_S = 1.0
"""The same in service, per attempt."""

COLUMNS = (
    "camera",
    "frame",
    "captured_at",
    "status",
    "label",
    "confidence",
    "reason",
    "late",
    "answer",
    "name",
    "total_ns",
    "infer_ns",
    "worst_tile",
    "distance",
    "recipe",
    "recipe_digest",
)
"""Columns of a row that `add` takes, in their order."""

ArchiveRow = Sequence[Any]
ConnectDatabase = Callable[..., sqlite3.Connection]

# A row that is there already was written by an attempt whose outcome the disk did not tell.
_INSERT = (
    f"INSERT INTO verdicts (run, {', '.join(COLUMNS)}) VALUES (?{', ?' * len(COLUMNS)}) "
    "ON CONFLICT (run, camera, frame) DO NOTHING"
)


@dataclass(frozen=True)
class KeptCheck:
    """A check as an archive keeps it.

    Args:
        made_at: ISO 8601 with `Z`.
        passed: whether all was as it should be.
        recipe: id; empty where there are no recipes.
        digest: of the bundle.
        report: JSON.
    """

    made_at: str
    passed: bool
    recipe: str
    digest: str
    report: str


class ArchiveWriter:
    """Adds the verdicts of one stream to an archive, and makes it where there is none.

    One stream at a time holds an archive, by a lock on `NAME.lock` beside it. A damaged archive is
    moved aside, and a new one begun.

    Args:
        path: the archive.
        facts: of the stream.
        folder: of the stream, whose journal holds the same verdicts.
        labels: the model's class names.
        report: is told what was found in the archive and done about it.
        connect: `sqlite3.connect`; tests hand in a broken one.

    Raises:
        InputError: the folder cannot be written, or another stream holds the archive.
    """

    def __init__(
        self,
        path: Path,
        facts: StreamFacts,
        *,
        folder: Path = Path(),
        labels: Sequence[str] = (),
        report: Say,
        connect: ConnectDatabase = sqlite3.connect,
    ) -> None:
        self.path = path
        self._report = report
        self._facts = facts
        self._folder = folder
        self._labels = tuple(labels)
        self._started = _now()
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._lock = hold(path)

    def open(self) -> None:
        """Open the archive, recover it where that is needed, and enter the run.

        Raises:
            InputError: it cannot be written, is not an archive or one of a newer schema, or another
                program has it locked.
            EquipmentError: the disk is full, or failed; `add` tries again.
            sqlite3.Error: likewise, in SQLite's words.
        """
        require_archive_or_nothing(self.path, ours=is_ours(self._lock))
        try:
            self._open(START_WAIT_S)
        except sqlite3.OperationalError as error:
            if not is_locked(error):
                raise
            raise InputError(
                f"{self.path} is locked by another program",
                hint="end its transaction there, or close it",
            ) from error
        mark_as_ours(self._lock)

    def add(self, rows: Sequence[ArchiveRow]) -> None:
        """Add rows in one transaction; when it returns, they are on the disk.

        Raises:
            OSError, EdgeclError, sqlite3.Error: none was added; trying again is right.
        """
        if self._connection is not None and not self._is_in_place():
            self._disconnect()
            self._report(
                f"note: {self.path} was removed or replaced while it was written; what it had is "
                "not in the new one"
            )
        if self._connection is None:
            self._open(WAIT_S)
        assert self._connection is not None
        try:
            with transaction(self._connection) as connection:
                (number,) = connection.execute(
                    "SELECT number FROM runs WHERE id = ?", (self._facts.run,)
                ).fetchone()
                connection.executemany(_INSERT, [(number, *row) for row in rows])
        except sqlite3.Error as error:
            if not is_locked(error) and "full" not in str(error):
                self._disconnect()  # the next attempt looks at the whole file
            raise

    def add_check(self, check: KeptCheck) -> None:
        """Add a check; when it returns, it is on the disk.

        Raises:
            OSError, EdgeclError, sqlite3.Error: it was not added; trying again is right.
        """
        if self._connection is None:
            self._open(WAIT_S)
        assert self._connection is not None
        with transaction(self._connection) as connection:
            connection.execute(
                "INSERT OR IGNORE INTO checks (run, made_at, passed, recipe, digest, report) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    self._facts.run,
                    check.made_at,
                    check.passed,
                    check.recipe,
                    check.digest,
                    check.report,
                ),
            )

    def finish(self, written: int, lost: int) -> None:
        """Say that the run ended, and what it wrote and lost.

        Raises:
            sqlite3.Error: it cannot be said.
        """
        if self._connection is not None:
            with transaction(self._connection) as connection:
                connection.execute(
                    "UPDATE runs SET outcome = 'ended', ended_at = ?, written = ?, lost = ? "
                    "WHERE id = ?",
                    (_now(), written, lost, self._facts.run),
                )

    def close(self) -> None:
        """Give the archive back. Closing twice is fine."""
        self._disconnect()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _open(self, wait_s: float) -> None:
        try:
            self._connection = self._connected(wait_s)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            with explained(self.path):
                aside = move_aside(self.path, datetime.now())
            self._report(
                f"note: {self.path} was damaged ({error}); it is {aside} now, and a new archive "
                "was begun"
            )
            self._connection = self._connected(wait_s)

    def _connected(self, wait_s: float) -> sqlite3.Connection:
        """Connect to the archive, recover it, and enter the run."""
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite would say no more than that it is unable to.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
        connection = self._connect(
            self.path, timeout=wait_s, isolation_level=None, check_same_thread=False
        )
        try:
            # Whose file it is comes first: the mode below is written into it.
            schema = schema_of(connection, self.path)
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = FULL")
            with transaction(connection):
                notes = [*self._upgrade(connection, schema), *self._recover(connection)]
                self._enter(connection)
            connection.execute(f"PRAGMA busy_timeout = {round(WAIT_S * 1000)}")
            found = self.path.stat()
        except BaseException:
            connection.close()
            raise
        self._file = found.st_dev, found.st_ino
        for note in notes:
            self._report(note)
        return connection

    def _upgrade(self, connection: sqlite3.Connection, schema: int) -> Iterator[str]:
        for statements in STEPS[schema:]:
            for statement in statements:
                connection.execute(statement)
        if schema < NEWEST:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {NEWEST}")
        if 0 < schema < NEWEST:
            yield f"note: {self.path} was brought from schema {schema} to {NEWEST}"

    def _recover(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Look for runs without an end; where there is one, every page of the file is looked at."""
        broken = connection.execute(
            "SELECT number, id, started_at FROM runs WHERE outcome = 'running'"
        ).fetchall()
        if not broken:
            return
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(" ".join(str(found).split()))
        for number, run, started in broken:
            if run == self._facts.run:
                continue
            (count,) = connection.execute(
                "SELECT count(*) FROM verdicts WHERE run = ?", (number,)
            ).fetchone()
            connection.execute(
                "UPDATE runs SET outcome = 'broken-off', written = ? WHERE number = ?",
                (count, number),
            )
            yield (
                f"note: {self.path}: the run of {started[:19]}Z was broken off; its {count:,} "
                "archived verdicts are whole"
            )

    def _enter(self, connection: sqlite3.Connection) -> None:
        facts = self._facts
        connection.execute(
            "INSERT OR IGNORE INTO runs (id, started_at, camera, model, digest, labels, "
            "pass_labels, lot, folder) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                facts.run,
                self._started,
                _text(facts.camera),
                _text(facts.model),
                facts.digest,
                json.dumps(self._labels, ensure_ascii=False),
                json.dumps(tuple(facts.pass_labels), ensure_ascii=False),
                facts.lot,
                _text(str(self._folder)),
            ),
        )

    def _is_in_place(self) -> bool:
        """Whether the open file is still the one at the path: somebody may remove or replace it."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == self._file

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _text(value: str) -> str:
    """Text that UTF-8 can hold; names of files may be no such thing."""
    return value.encode("utf-8", "replace").decode()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
