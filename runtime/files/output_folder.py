"""Output of a command: a place of its own, tried and held before the work begins.

Two processes that start in the same second must not share a folder, and nobody wants to learn
after hours that the disk was read-only.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import InputError
from runtime.files.atomic import explained

ROOM = 4096
"""Number of bytes written as a test: a full disk still allows making an empty file."""

ATTEMPTS = 20
"""Number of attempts to make a folder that another process clears away at the same moment."""


@contextmanager
def new_folder(path: Path, *, room: int = ROOM) -> Iterator[Path]:
    """Make and hold a folder that was not there: `path`, or `path-2`, `path-3` and so on.

    However many processes ask for one name at once, each has a folder of its own. One that is
    still empty at the end is removed again, and so is what had to be made above it.

    Args:
        path: a default name; one that a user chose is for `own_folder`.
        room: bytes that must fit in it.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    with _parents(path):
        for number in itertools.count(1):
            candidate = path if number == 1 else path.with_name(f"{path.name}-{number}")
            if _make(candidate):
                break
        with _held(candidate, made=True):
            _try_writing(candidate, room)
            yield candidate


@contextmanager
def own_folder(path: Path, *, room: int = ROOM) -> Iterator[Path]:
    """Hold the folder that a user named; it is made where it is not there.

    What was made for it and is still empty at the end is removed again.

    Args:
        path: the folder.
        room: bytes that must fit in it.

    Raises:
        InputError: it cannot be made or written to, or another process holds it.
    """
    with _parents(path), _held(path, made=_make(path)):
        _try_writing(path, room)
        yield path


@contextmanager
def own_file(path: Path, *, replace: bool, hint: str = "") -> Iterator[Path]:
    """Hold the place of a file that is written at the end; where nothing is, an empty file.

    An empty one that is still there at the end is removed again.

    Args:
        path: the file; what is written takes its place by a rename.
        replace: whether a file that is there may be replaced.
        hint: what to do where it may not.

    Raises:
        InputError: it is there and may not be replaced, it is not a file, it cannot be written, or
            another process holds it.
    """
    with explained(path):
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a file", hint="pass a file with --out")
    with _parents(path):
        _try_writing(path.parent, ROOM)
        with explained(path):
            handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(handle, path)
            # An empty one that nobody holds was left by a process that was killed.
            if os.fstat(handle).st_size and not replace:
                raise InputError(f"{path} already exists", hint=hint)
            yield path
        finally:
            with contextlib.suppress(OSError):
                if _is_at(handle, path) and not os.fstat(handle).st_size:
                    path.unlink()
            os.close(handle)


@contextmanager
def _parents(path: Path) -> Iterator[None]:
    """Make the folders above `path`, and remove again those of them that stay empty."""
    with explained(path):
        missing = [folder for folder in path.parents if not folder.exists()]
        _make_parents(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # one that is not empty ends it
            for folder in missing:
                folder.rmdir()


def _make(path: Path) -> bool:
    """Make a folder; False where something is there already."""
    with explained(path):
        for _ in range(ATTEMPTS):
            _make_parents(path)
            try:
                path.mkdir()
            except FileNotFoundError:
                continue  # another process has cleared the folder above away again
            except FileExistsError:
                return False
            return True
        path.mkdir()
    return True


def _make_parents(path: Path) -> None:
    """Make the folders above, although another process may clear them away at that moment."""
    for _ in range(ATTEMPTS):
        # Python calls it "exists" where a folder vanishes between its two looks at it.
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return
    path.parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def _held(folder: Path, *, made: bool) -> Iterator[None]:
    """Hold a folder's lock; the kernel frees it when the process ends, however it ends.

    The folder itself is locked, so that nothing is left behind in it.

    Args:
        made: remove it at the end, if it is empty then.
    """
    for _ in range(ATTEMPTS):
        with explained(folder):
            try:
                handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                made = _make(folder)
                continue
        try:
            _lock(handle, folder)
            if not _is_at(handle, folder):
                continue  # whoever had it before removed it: another one is there now
            try:
                yield
            finally:
                if made:  # while it is still held
                    with contextlib.suppress(OSError):
                        folder.rmdir()
            return
        finally:
            os.close(handle)
    raise InputError(f"{folder} keeps being removed", hint="choose another --out")


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            f"another process is writing {path}",
            hint="choose another --out, or wait until it has finished",
        ) from None
    except OSError:
        pass  # a file system without locks: nobody can be told apart there


def _try_writing(folder: Path, room: int) -> None:
    with explained(folder), tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
        if room:
            probe.write(bytes(room))
