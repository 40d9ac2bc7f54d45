"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime.errors import EdgeclError, EquipmentError, InputError

ATTEMPTS = 20
"""Number of attempts at a folder's place while other processes write there too."""

PROBE_BYTES = 2**20
"""Bytes that a disk must still take before it is not to blame for a file that was not written."""

DISK_FAILURES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENODEV, errno.ESTALE})
"""Errors of a write that are the disk's fault, not the user's."""

_OF_RUST = re.compile(r"\(os error (\d+)\)")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that is renamed to `path` when the block succeeds.

    Libraries that write files themselves raise errors of their own where the disk is full; the
    disk is then asked, and its answer is what is told.

    Raises:
        InputError: the folder cannot be made or written, or the disk is full.
    """
    # Its name is known before it exists: an interrupt between the two leaves nothing behind.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            try:
                yield temporary
            except (OSError, EdgeclError):
                raise
            except Exception as error:
                reason = _reason_of_disk(error, temporary)
                if reason is None:
                    raise
                raise reason from error
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())
            # Until here it is its owner's alone; a shared box expects the umask's mode.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of `path` when the block succeeds.

    The old folder is moved aside first, comes back where the block's own cannot take its place,
    and is removed last. Only a process that is killed between two renames leaves it aside, whole,
    under a name that says which it is. Of several processes the last one wins.

    Raises:
        InputError: the folder cannot be made or written, or the disk is full.
    """
    path = path.absolute()
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        with explained(path):
            yield temporary
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o777 & ~umask)
            _take_place(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _take_place(temporary: Path, path: Path) -> None:
    for _ in range(ATTEMPTS):
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
        aside = old / path.name
        try:
            with contextlib.suppress(FileNotFoundError):
                path.rename(aside)
            temporary.rename(path)
            return
        except OSError as error:
            # Another process put its own there in between: that one is older now.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        finally:
            if temporary.exists() and aside.exists() and not path.exists():
                aside.rename(path)
            shutil.rmtree(old, ignore_errors=True)
    raise OSError(errno.EBUSY, "other processes keep writing there")


def _reason_of_disk(error: Exception, path: Path) -> OSError | None:
    """Return the disk's reason for the unwritten file that `error` reports; None if it has none.

    torch says no more than that a position was not the expected one, so a write is tried: on a
    disk that is full, or at a limit, it fails as theirs did.
    """
    found = _OF_RUST.search(str(error))
    if found:
        return OSError(int(found[1]), os.strerror(int(found[1])))
    try:
        with open(path, "ab") as stream:
            stream.write(bytes(PROBE_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as reason:
        return reason
    return None


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an OSError of the block into an error that names `path` and the reason.

    Raises:
        InputError: nothing can be written there.
        EquipmentError: the disk is full, or failed.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, FileExistsError) and error.filename == str(path.parent):
            reason = f"{error.filename} is not a folder"
        problem = f"cannot write {path}: {reason}"
        if error.errno in DISK_FAILURES:
            raise EquipmentError(
                problem,
                hint="free some space, or choose a folder on another disk",
                code="disk-failing",
            ) from error
        raise InputError(problem, hint="choose a writable folder") from error


def write_new(path: Path, data: bytes, mode: int) -> None:
    """Create a file that is not there yet, whole or not at all.

    Args:
        mode: its permissions, from the first byte on; the umask takes from them.

    Raises:
        InputError: there is such a file, the folder cannot be written, or the disk is full.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with open(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON to `path`, whole or not at all.

    Lone surrogates, as in file names that are not UTF-8, are written as JSON's escapes.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_text(path, text.encode(errors="backslashreplace").decode())
