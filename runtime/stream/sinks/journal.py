"""File of lines that goes on for years: rotated, forced to the disk, repaired after power cuts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

from runtime.errors import InputError
from runtime.files.atomic import explained
from runtime.progress import Say
from runtime.stream.sinks.journal_rules import Fsync, JournalRules
from runtime.stream.sinks.torn import repair

SYNC_EVERY_S = 1.0
"""Seconds between two of `interval`."""

LOOK_EVERY_S = 1.0
"""Seconds after which it is looked whether the file is still where it was."""

ROTATE_AGAIN_S = 1.0
"""Seconds after which a rotation that the disk refused is tried again."""


class JournalFile:
    """Whole lines in a file, or in one after the other.

    A closed file is `NAME.000001.jsonl` and so on: a name that a file has got, it keeps.

    Args:
        path: the file that is written; closed ones stand beside it.
        report: is told of a torn line that was found.
        write: `os.write`; tests hand in a broken one.
        fsync: `os.fsync`; likewise.
        today: the day by the machine's clock.

    Attributes:
        problem: what the disk said last; empty where it took all.
        rotated: files that were closed.
        removed: of the closed files, how many `keep` has cost.
        displaced: lines in files that somebody removed or moved while they were written.

    Raises:
        InputError: the file cannot be made; is there already and does not go on; is not a file of
            lines; or another stream writes it.
    """

    def __init__(
        self,
        path: Path,
        rules: JournalRules,
        *,
        report: Say = lambda text: None,
        write: Callable[[int, bytes], int] = os.write,
        fsync: Callable[[int], None] = os.fsync,
        today: Callable[[], date] = date.today,
    ) -> None:
        self.path = path
        self.problem = ""
        self.rotated = 0
        self.removed = 0
        self.displaced = 0
        self._rules = rules
        self._write = write
        self._fsync = fsync
        self._today = today
        self._stay_until = 0.0  # the disk refused a rotation
        self._synced_at = self._looked_at = time.monotonic()
        self._unsynced = False
        self._lines = 0  # of this stream, in the open file
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _open_on(path, report) if rules.goes_on else _create(path)
            state = os.fstat(self._file)
        self._good = state.st_size  # the file's length up to the last whole line
        begun = datetime.fromtimestamp(state.st_mtime).date()
        self._day = begun if self._good else today()

    def append(self, lines: Sequence[bytes]) -> int:
        """Write lines, each with its line feed.

        Returns:
            How many are written: fewer than all where the disk refused, which `problem` tells.
        """
        done = 0
        try:
            while done < len(lines):
                if self._is_due(len(lines[done])):
                    self._rotate()
                room = self._fitting(lines, done)
                self._append(b"".join(lines[done : done + room]))
                self._lines += room
                done += room
            self.sync_if_due()
        except OSError as error:
            self.problem = error.strerror or str(error)
        return done

    def sync_if_due(self) -> None:
        """Force what was written to the disk, where the interval is over.

        It is also seen whether the file is where it was. Where somebody removed or moved it, its
        lines count as `displaced`, and another one is begun.

        Raises:
            OSError: the disk refused.
        """
        if time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = time.monotonic()
            if self._is_displaced():
                self._begin_anew()
        due = time.monotonic() - self._synced_at >= SYNC_EVERY_S
        if self._rules.fsync is Fsync.INTERVAL and self._unsynced and due:
            self._synced_at = time.monotonic()
            self._sync()

    def close(self) -> None:
        """Force what was written to the disk, unless that is left to the system, and close."""
        try:
            if self._rules.fsync is not Fsync.NONE:
                self._sync()
        except OSError as error:
            self.problem = error.strerror or str(error)
        self._is_displaced()
        os.close(self._file)

    def _is_displaced(self) -> bool:
        """Look for the file at its path; count its lines where it is not there any more."""
        with contextlib.suppress(OSError):
            if os.path.samestat(self.path.stat(), os.fstat(self._file)):
                return False
        self.displaced += self._lines
        self._lines = 0
        self.problem = "the file was removed or moved while the stream wrote it"
        return True

    def _begin_anew(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            new = (
                _open_on(self.path, lambda line: None)
                if self._rules.goes_on
                else _create(self.path)
            )
        except InputError as error:  # another file has its place
            raise OSError(error.problem) from error
        os.close(self._file)
        self._file, self._good, self._day = new, os.fstat(new).st_size, self._today()

    def _append(self, data: bytes) -> None:
        rest = data
        try:
            while rest:
                rest = rest[self._write(self._file, rest) :]
            self._unsynced = True
            if self._rules.fsync is Fsync.EVERY:
                self._sync()
        except OSError:
            # After a sync that failed nobody knows what is on the disk: the lines come again.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._good)
            raise
        self._good += len(data)

    def _sync(self) -> None:
        self._fsync(self._file)
        self._unsynced = False

    def _is_due(self, size: int) -> bool:
        if not self._good or time.monotonic() < self._stay_until:
            return False
        most = self._rules.rotate_bytes
        too_large = most is not None and self._good + size > most
        return too_large or (self._rules.rotate_daily and self._today() != self._day)

    def _fitting(self, lines: Sequence[bytes], start: int) -> int:
        """Return how many lines the file takes, from `start` on; one always."""
        most = self._rules.rotate_bytes
        if most is None or time.monotonic() < self._stay_until:
            return len(lines) - start
        size, count = self._good + len(lines[start]), 1
        for line in lines[start + 1 :]:
            size += len(line)
            if size > most:
                break
            count += 1
        return count

    def _rotate(self) -> None:
        """Close the file and begin another. Where the disk refuses that, the old one goes on."""
        closed = self.path
        try:
            if self._rules.fsync is not Fsync.NONE:
                self._sync()
            closed = _next_name(self.path)
            self.path.rename(closed)
            new = _create(self.path)
        except (OSError, InputError) as error:
            with contextlib.suppress(OSError):
                if closed != self.path and not self.path.exists():
                    closed.rename(self.path)
            self.problem = f"it was not rotated: {getattr(error, 'strerror', None) or error}"
            self._stay_until = time.monotonic() + ROTATE_AGAIN_S
            return
        os.close(self._file)
        self._file, self._good, self._day = new, 0, self._today()
        self._lines = 0
        self.rotated += 1
        with contextlib.suppress(OSError):
            self._remove_oldest()
            if self._rules.fsync is not Fsync.NONE:
                _sync_folder(self.path.parent)

    def _remove_oldest(self) -> None:
        if self._rules.keep is None:
            return
        for _, old in sorted(_closed_files(self.path))[: -self._rules.keep]:
            old.unlink()
            self.removed += 1


def journal_files(path: Path) -> list[Path]:
    """Return the files of a journal that are there, the oldest first and the open one last."""
    files = [file for _, file in sorted(_closed_files(path))]
    return [*files, path] if path.exists() else files


def _closed_files(path: Path) -> Iterator[tuple[int, Path]]:
    name = re.compile(rf"{re.escape(path.stem)}\.(\d{{6,}}){re.escape(path.suffix)}", re.ASCII)
    for file in path.parent.iterdir():
        match = name.fullmatch(file.name)
        if match is not None:
            yield int(match[1]), file


def _next_name(path: Path) -> Path:
    last = max((number for number, _ in _closed_files(path)), default=0)
    return path.with_name(f"{path.stem}.{last + 1:06d}{path.suffix}")


def _create(path: Path) -> int:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
    except FileExistsError:
        raise InputError(
            f"{path} already exists, as from an earlier stream",
            hint="choose another folder or name, or move that file",
        ) from None
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def _open_on(path: Path, report: Say) -> int:
    """Open a file to go on with, and make one where there is none."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o666)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise InputError(f"{path} is not a file", hint="choose another name")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another stream writes {path}", hint="give each stream a file of its own"
            ) from None
        except OSError:
            pass  # a file system without locks
        repaired = repair(path, file)
        if repaired:
            report(f"note: {repaired}")
    except BaseException:
        os.close(file)
        raise
    return file


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
