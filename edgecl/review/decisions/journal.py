"""The journal of decisions: a file that only grows, on the disk before anything is acknowledged."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from pathlib import Path

import msgspec

from edgecl.review.decisions.standing import DecisionLine, Standing
from runtime.errors import EquipmentError, InputError
from runtime.files.atomic import DISK_FAILURES, explained
from runtime.files.document import malformed, parse_document

JOURNAL = "review.jsonl"


def read_journal(folder: Path) -> Standing:
    """Return what stands in a folder; nothing where nobody decided anything yet.

    A last line that is not whole is passed over: it was never acknowledged.

    Raises:
        InputError: the journal cannot be read, or is damaged.
    """
    path = folder / JOURNAL
    if not path.exists():
        return Standing()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error})", hint=DecisionLine.REMEDY
        ) from error
    return Standing(_lines(data[: _whole(data)], path))


class ReviewJournal:
    """ReviewJournal of a folder, held by one process. `add` may be called from any thread.

    Args:
        folder: with the images.

    Attributes:
        standing: what stands so far.
        cut: bytes of a last line that a killed process had not finished, and that are gone.

    Raises:
        InputError: another process holds it, it is damaged, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self._lock = threading.Lock()
        with explained(self.path):
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            self._hold()
            with explained(self.path):
                data = _all_of(self._file)
                self._size = _whole(data)
                self.cut = len(data) - self._size
                self.standing = Standing(_lines(data[: self._size], self.path))
                if self.cut:
                    os.ftruncate(self._file, self._size)
                os.fsync(self._file)
                _sync_folder(folder)
        except BaseException:
            os.close(self._file)
            raise

    def add(self, line: DecisionLine) -> None:
        """Write a line; when this returns, it survives a power cut. A line of a known id is not
        written again.

        Raises:
            EquipmentError: the disk does not take it; nothing of it is kept.
        """
        data = msgspec.json.encode(line) + b"\n"
        with self._lock:
            if self.standing.has(line.id):
                return
            try:
                _write(self._file, data, self._size)
                os.fsync(self._file)
            except OSError as error:
                self._cut_back()
                reason = error.strerror or str(error)
                what = "is full" if error.errno in DISK_FAILURES else "does not take it"
                raise EquipmentError(
                    f"the decision was not kept: the disk of {self.path} {what} ({reason})",
                    hint="free some space, and decide again",
                    code="disk-failing",
                ) from error
            self._size += len(data)
            self.standing.apply(line)

    def close(self) -> None:
        """Let another process have it. Closing twice is fine."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def _cut_back(self) -> None:
        with contextlib.suppress(OSError):  # the next line is written over it, at its place
            os.ftruncate(self._file, self._size)

    def _hold(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another process reviews {self.path.parent}",
                hint="open its page: several reviewers may use it at the same time",
            ) from None
        except OSError:
            pass  # a file system without locks


def _lines(data: bytes, path: Path) -> list[DecisionLine]:
    found = []
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        where = f"{path}, line {number},"
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise malformed(where, "it is not JSON", DecisionLine) from None
        found.append(parse_document(value, DecisionLine, where=where))
    return found


def _whole(data: bytes) -> int:
    """Return how many bytes of the file are whole lines."""
    return data.rfind(b"\n") + 1


def _all_of(file: int) -> bytes:
    os.lseek(file, 0, os.SEEK_SET)
    with open(os.dup(file), "rb") as stream:
        return stream.read()


def _write(file: int, data: bytes, place: int) -> None:
    while data:
        written = os.pwrite(file, data, place)
        data, place = data[written:], place + written


def _sync_folder(folder: Path) -> None:
    """Force the journal's name itself to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
