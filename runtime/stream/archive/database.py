"""An archive's file: whose it is, whether it is whole, and how one is opened to be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from runtime.errors import InputError
from runtime.files.databases import SIDES, is_damage
from runtime.stream.archive.schema import APPLICATION_ID, NEWEST

MAGIC = b"SQLite format 3\0"
REMEDY = "pass an archive written by 'edgecl run --sink sqlite:FILE'"


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
