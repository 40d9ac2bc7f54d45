"""The place of an archive: held by one stream, and refused where something else lies there."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from runtime.errors import InputError
from runtime.files.atomic import explained
from runtime.files.databases import SIDES
from runtime.stream.archive.database import MAGIC


def hold(path: Path) -> int:
    """Hold an archive until the process ends, however it ends.

    The lock is on a file beside it: SQLite's own locks on the archive are lost when any other
    handle of it is closed.
    """
    beside = path.with_name(f"{path.name}.lock")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise InputError(
            f"another stream writes to {path}", hint="give each stream an archive of its own"
        ) from None
    except OSError:
        pass  # a file system without locks: nobody can be told apart there
    return handle


def require_archive_or_nothing(path: Path, *, ours: bool) -> None:
    """Refuse to write into a file of another kind.

    Args:
        ours: whether an archive was here: then what is no database is a damaged one.

    Raises:
        InputError: it is such a file.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a file", hint="choose another path")
    try:
        with open(path, "rb") as stream:
            head = stream.read(len(MAGIC))
    except OSError:
        return  # nothing is there, or opening it says why
    beside = any(path.with_name(path.name + side).exists() for side in SIDES)
    if head in (b"", MAGIC) or ours or beside or not any(head):
        return
    raise InputError(f"{path} is not an archive", hint="choose another file")


def mark_as_ours(handle: int) -> None:
    """Remember that an archive is here: a file that is no database any more is a damaged one.

    Args:
        handle: that `hold` returned.
    """
    with contextlib.suppress(OSError):
        os.pwrite(handle, b"edgecl archive\n", 0)


def is_ours(handle: int) -> bool:
    """Whether an archive was here before; see `mark_as_ours`."""
    return bool(os.fstat(handle).st_size)
