"""An archive's file: whose it is, whether it is whole, and how one is opened to be read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from runtime.errors import InputError
from runtime.stream.archive.schema import APPLICATION_ID, NEWEST

MAGIC = b"SQLite format 3\0"
SIDES = ("-wal", "-shm")
"""Ends of the names of SQLite's files beside a database."""

REMEDY = "pass an archive written by 'edgecl run --sink sqlite:FILE'"


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the database itself is damaged.

    Python 3.10 does not tell SQLite's code; it has classes of their own for all other ones.
    """
    return type(error) is sqlite3.DatabaseError


def is_locked(error: BaseException) -> bool:
    """Whether an error says that another program has the database locked."""
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def schema_of(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema of an archive; 0 for a database in which nothing is yet.

    Raises:
        InputError: it is another program's database, or of a newer schema.
        sqlite3.Error: it cannot be read.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables or application or schema:
            raise InputError(f"{path} is the database of another program", hint=REMEDY)
        return 0
    if schema > NEWEST:
        raise InputError(
            f"{path} has schema {schema}, but this edgecl reads archives up to schema {NEWEST}",
            hint="update edgecl on this machine",
        )
    return int(schema)


def move_aside(path: Path) -> Path:
    """Rename a damaged archive, so that a new one can be begun.

    Returns:
        Its new path, `NAME.damaged-DATE`. What SQLite keeps beside it goes with it, and first: a
        new database must not take it for its own.

    Raises:
        OSError: it cannot be renamed.
    """
    stem = f"{path.name}.damaged-{datetime.now():%Y%m%d-%H%M%S}"
    aside, number = path.with_name(stem), 1
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{stem}-{number}")
    for side in SIDES:
        beside = path.with_name(path.name + side)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + side))
    path.rename(aside)
    return aside


@contextmanager
def opened_to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that only reads; a stream may write to the archive meanwhile.

    Raises:
        InputError: there is no archive, or one that cannot be read.
    """
    _require_database(path)
    try:
        with closing(_connect(path)) as connection:
            if schema_of(connection, path) == 0:
                raise InputError(f"{path} is an empty database", hint=REMEDY)
            yield connection
    except sqlite3.Error as error:
        if is_damage(error):
            raise InputError(
                f"{path} is damaged ({error})",
                hint="recover what is left with SQLite: sqlite3 FILE .recover",
            ) from error
        raise InputError(
            f"{path} cannot be read ({error})", hint="copy it to a folder that can be written"
        ) from error


def _require_database(path: Path) -> None:
    try:
        with open(path, "rb") as stream:
            head = stream.read(len(MAGIC))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read as an archive ({error.strerror})", hint=REMEDY
        ) from error
    if not head:
        raise InputError(f"{path} is empty", hint=REMEDY)
    if head != MAGIC:
        raise InputError(f"{path} is not an archive", hint=REMEDY)


def _connect(path: Path) -> sqlite3.Connection:
    """Open a database to read it, on a disk that cannot be written as well."""
    address = path.absolute().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        connection.close()
        wal = path.with_name(path.name + SIDES[0])
        if "unable to open" not in str(error) or (wal.exists() and wal.stat().st_size):
            raise
        # Nothing writes to it, so SQLite needs no file of its own beside it.
        connection = sqlite3.connect(f"{address}?immutable=1", uri=True, isolation_level=None)
    return connection
