"""A queue of verdicts on disk, which a killed process and a power cut leave whole."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from runtime.errors import InputError
from runtime.files.atomic import explained
from runtime.files.databases import is_damage, is_locked, move_aside, transaction
from runtime.progress import Say

APPLICATION_ID = 0x65434C53  # "eCLS", in the file's header
VERSION = 1
MIB = 2**20

_LIMIT = re.compile(r"(?P<number>[1-9]\d{0,9})(?P<unit>MiB)?")
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS verdicts "
    "(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, body BLOB NOT NULL)"
)
_AT_ONCE = 100

T = TypeVar("T")


@dataclass(frozen=True)
class SpoolLimit:
    """Bound of a spool; beyond it the oldest verdicts are dropped.

    Args:
        rows: verdicts that may wait; None for any number.
        size: bytes that these may have, ids included; None likewise.
    """

    rows: int | None = None
    size: int | None = 256 * MIB

    @staticmethod
    def parse(text: str) -> SpoolLimit:
        """Parse `100000` (verdicts) or `64MiB`.

        Raises:
            InputError: it is neither.
        """
        match = _LIMIT.fullmatch(text)
        if match is None:
            raise InputError(
                f"{text!r} is no limit of a spool", hint="write 100000 (verdicts) or 64MiB"
            )
        number = int(match["number"])
        return SpoolLimit(None, number * MIB) if match["unit"] else SpoolLimit(number, None)

    def exceeded(self, rows: int, size: int) -> bool:
        """Return whether that many verdicts of that many bytes are too many."""
        return (self.rows is not None and rows > self.rows) or (
            self.size is not None and size > self.size
        )


@dataclass(frozen=True, slots=True)
class SpoolRecord:
    """A verdict that waits.

    Args:
        seq: its place in the order.
        id: by which the receiver can tell that it comes again.
        body: as it is delivered.
    """

    seq: int
    id: str
    body: bytes

    @property
    def size(self) -> int:
        """Bytes that count towards the limit."""
        return len(self.id) + len(self.body)


class Spool:
    """Keeps verdicts in the order in which they came, until they are acknowledged.

    What `append` has taken survives the end of the process and of the machine. A damaged file is
    moved aside, and an empty one begun. One process at a time has a spool. All methods may be
    called from any thread; they raise `sqlite3.Error` where the disk refuses.

    Args:
        path: the file; it is made where it is missing.
        limit: beyond it, the oldest verdicts are dropped.
        report: is told of a file that was moved aside.
        now: the wall clock, for that file's name.

    Attributes:
        found: verdicts that waited already when it was opened.
        waiting: verdicts that wait.
        dropped: verdicts that the limit, or a file that was damaged in service, has cost.

    Raises:
        InputError: another process has it, a newer edgecl wrote it, or it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        limit: SpoolLimit | None = None,
        *,
        report: Say = lambda text: None,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.path = path
        self.dropped = 0
        self.waiting = 0
        self._size = 0
        self._limit = limit or SpoolLimit()
        self._report = report
        self._now = now
        self._lock = threading.RLock()
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._database = self._open()
        self.found = self.waiting

    def append(self, verdicts: Sequence[tuple[str, bytes]]) -> None:
        """Add verdicts, each an id and a body, all of them or none; drop the oldest for them."""
        self._undamaged(lambda: self._append(verdicts))

    def peek(self, count: int) -> list[SpoolRecord]:
        """Return the oldest verdicts, and leave them where they are."""
        query = "SELECT seq, id, body FROM verdicts ORDER BY seq LIMIT ?"
        return self._undamaged(
            lambda: [SpoolRecord(*row) for row in self._database.execute(query, (count,))]
        )

    def acknowledge(self, records: Sequence[SpoolRecord]) -> None:
        """Remove verdicts; those that are no longer there are passed over."""
        if records:
            self._undamaged(lambda: self._acknowledge(records))

    def close(self) -> None:
        """Give the file back. Closing twice is fine."""
        with self._lock:
            self._database.close()

    def _append(self, verdicts: Sequence[tuple[str, bytes]]) -> None:
        rows = self.waiting + len(verdicts)
        size = self._size + sum(len(name) + len(body) for name, body in verdicts)
        with transaction(self._database):
            insert = "INSERT INTO verdicts (id, body) VALUES (?, ?)"
            self._database.executemany(insert, verdicts)
            kept, size = self._drop_oldest(rows, size)
        self.dropped += rows - kept
        self.waiting, self._size = kept, size

    def _drop_oldest(self, rows: int, size: int) -> tuple[int, int]:
        """Remove what is too much; return rows and bytes that are left."""
        while self._limit.exceeded(rows, size):
            query = "SELECT seq, length(id) + length(body) FROM verdicts ORDER BY seq LIMIT ?"
            for seq, length in self._database.execute(query, (_AT_ONCE,)).fetchall():
                self._database.execute("DELETE FROM verdicts WHERE seq = ?", (seq,))
                rows, size = rows - 1, size - length
                if not self._limit.exceeded(rows, size):
                    break
        return rows, size

    def _acknowledge(self, records: Sequence[SpoolRecord]) -> None:
        # A receiver knows what comes twice, so this need not reach the disk by itself: it halves
        # what a flash disk has to write.
        self._database.execute("PRAGMA synchronous = NORMAL")
        try:
            rows, size = self.waiting, self._size
            with transaction(self._database):
                for record in records:
                    # With its id: a file that was begun anew counts from 1 again.
                    delete = "DELETE FROM verdicts WHERE seq = ? AND id = ?"
                    if self._database.execute(delete, (record.seq, record.id)).rowcount:
                        rows, size = rows - 1, size - record.size
            self.waiting, self._size = rows, size
        finally:
            self._database.execute("PRAGMA synchronous = FULL")

    def _undamaged(self, work: Callable[[], T]) -> T:
        """Run `work`; on a file that turns out to be damaged, move it aside and run it again."""
        with self._lock:
            try:
                return work()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self._database.close()
                self.dropped += self.waiting
                self._move_aside(error)
                self._database = self._connect()
                return work()

    def _open(self) -> sqlite3.Connection:
        try:
            try:
                return self._connect()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self._move_aside(error)
                return self._connect()
        except sqlite3.Error as error:
            if is_locked(error):
                raise InputError(
                    f"the spool {self.path} is in use by another stream",
                    hint="give each stream a folder of its own: --spool FOLDER",
                ) from error
            raise InputError(
                f"cannot write the spool {self.path}: {error}",
                hint="choose a writable folder: --spool FOLDER",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(
            self.path, timeout=1.0, isolation_level=None, check_same_thread=False
        )
        try:
            # Exclusive: two streams would deliver everything twice. The lock ends with the process.
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            self._check(database)
            database.execute(_SCHEMA)
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {VERSION}")
            count = "SELECT count(*), coalesce(sum(length(id) + length(body)), 0) FROM verdicts"
            self.waiting, self._size = database.execute(count).fetchone()
        except BaseException:
            database.close()
            raise
        return database

    def _check(self, database: sqlite3.Connection) -> None:
        said = [row[0] for row in database.execute("PRAGMA quick_check(1)")]
        if said != ["ok"]:
            raise sqlite3.DatabaseError(str(said[0]).splitlines()[0])
        if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return
        if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise sqlite3.DatabaseError("it is no spool")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise InputError(
                f"the spool {self.path} has version {version}, but this edgecl knows {VERSION}",
                hint="update edgecl on this machine, or choose another folder with --spool",
            )

    def _move_aside(self, error: sqlite3.Error) -> None:
        with explained(self.path):
            aside = move_aside(self.path, self._now())
        self._report(
            f"the spool {self.path} was damaged ({error}): it is now {aside.name}, and a new one "
            "begins"
        )
