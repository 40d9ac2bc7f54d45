"""SQLite files: what an error says of one, transactions, and a damaged one put out of the way."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

SIDES = ("-wal", "-shm")
"""Ends of the names of SQLite's files beside a database."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the database itself is damaged.

    Python 3.10 does not tell SQLite's code; it has classes of their own for all other ones.
    """
    return type(error) is sqlite3.DatabaseError


def is_locked(error: BaseException) -> bool:
    """Whether an error says that another program has the database locked."""
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Commit what the block does, or undo it where it raises.

    Raises:
        sqlite3.Error: it cannot begin, or be committed.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite rolled it back itself
            connection.execute("ROLLBACK")
        raise


def move_aside(path: Path, now: datetime) -> Path:
    """Rename a damaged database, so that a new one can be begun.

    Args:
        now: the wall clock, for its name.

    Returns:
        Its new path, `NAME.damaged-DATE`. What SQLite keeps beside it goes with it, and first: a
        new database must not take it for its own.

    Raises:
        OSError: it cannot be renamed.
    """
    stem = f"{path.name}.damaged-{now:%Y%m%d-%H%M%S}"
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
