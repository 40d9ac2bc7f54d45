"""Lock that lets one process of the machine build in a folder at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.files.atomic import explained
from runtime.progress import Say

LOCK = ".lock"


@contextmanager
def only_builder(folder: Path, say: Say) -> Iterator[None]:
    """Hold the folder's lock during the block.

    The kernel frees it when the process ends, however it ends; the file stays and means nothing.
    Two builds beside each other would also spoil what the builder measures.

    Args:
        folder: there already, and writable.
        say: told that another process builds, before waiting for it; and where the file system
            knows no locks.

    Raises:
        InputError: the lock's file cannot be made.
    """
    path = folder / LOCK
    # A bundle may come from elsewhere: a link in it must not choose what is truncated.
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with explained(path):
        handle = os.open(path, flags, 0o666)
    try:
        _lock(handle, folder, say)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path, say: Say) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 20, 0).decode(errors="replace").strip()
        named = f" (process {holder})" if holder.isdigit() else ""
        say(f"another process{named} is building an engine in {folder}; waiting for it")
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        say(
            f"{folder} cannot be locked ({error.strerror}), so processes that start "
            "together may each build the engine"
        )
