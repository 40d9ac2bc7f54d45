"""Repair of files of lines that a killed process or a power cut has left."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from runtime.errors import EdgeclError, InputError
from runtime.files.atomic import write_new, write_text
from runtime.progress import Say

TAIL = 2**20
"""Bytes at the end of a file that are looked at; no line is longer."""

BROKEN_OFF = "broken-off.txt"
"""File in a stream's folder that says how it ended, where it could not say so itself."""

MOST_FOLDERS = 50
"""Folders of earlier streams that are looked at, the newest."""


def repair(path: Path, file: int) -> str:
    """Make a file end with a whole line.

    A line that is whole but for its line feed gets it. Another one is moved to a file beside it.

    Args:
        path: of the file, for messages and for the file beside it.
        file: descriptor that it was opened with, for reading and appending.

    Returns:
        What was found, in one line; empty where the file ended as it should.

    Raises:
        InputError: it is not a file of lines of JSON.
        OSError: it cannot be read or changed.
    """
    size = os.fstat(file).st_size
    start = max(0, size - TAIL)
    tail = os.pread(file, TAIL, start)
    whole, feed, torn = tail.rpartition(b"\n")
    last = whole.rpartition(b"\n")[2]
    if (feed and not _is_record(last)) or (not feed and (start or not _may_begin_record(torn))):
        raise InputError(
            f"{path} is not a file of verdicts, so none is added to it", hint="choose another name"
        )
    if not torn:
        return ""
    if _is_record(torn):
        os.write(file, b"\n")
        return f"the last line of {path} lacked its end, which was added; it is whole"
    told = _kept(path, torn)
    os.ftruncate(file, size - len(torn))
    return f"{path} ended with a torn line of {len(torn)} bytes, {told}; all others are whole"


def repair_earlier_streams(streams: Path, own: Path, report: Say) -> None:
    """Look for streams that did not come to their end, and repair their files of lines.

    Each is told once: a file `BROKEN_OFF` in its folder keeps what was said. Streams that still
    run are left alone.

    Args:
        streams: the folder of streams.
        own: the folder of the stream that begins.
        report: is told of each.
    """
    try:
        folders = sorted(entry for entry in streams.iterdir() if entry.is_dir())
    except OSError:
        return
    for folder in folders[-MOST_FOLDERS:]:
        journals = [*folder.glob("*.jsonl"), *folder.glob("*/*.jsonl")]
        ended = any((folder / name).exists() for name in ("summary.json", BROKEN_OFF))
        if ended or not journals or folder.name == own.name:
            continue
        # Whatever is wrong there keeps no stream from judging.
        with contextlib.suppress(OSError, ValueError, EdgeclError), _unheld(folder) as free:
            if free:
                told = f"the stream in {folder} was broken off{_told(sorted(journals))}"
                write_text(folder / BROKEN_OFF, f"{told}\n")
                report(f"note: {told}")


def _told(journals: Sequence[Path]) -> str:
    """Repair files of lines; say how far they go, and what was found."""
    found, frames = [], ""
    for path in journals:
        file = os.open(path, os.O_RDWR | os.O_APPEND)
        try:
            found.append(repair(path, file) if os.fstat(file).st_size else "")
            size = os.fstat(file).st_size
            last = os.pread(file, TAIL, max(0, size - TAIL)).rstrip(b"\n").rpartition(b"\n")[2]
        finally:
            os.close(file)
        if last and path.name == "verdicts.jsonl" and path.parent == journals[0].parent:
            frames = f" after frame {json.loads(last).get('frame', '?')}"
    return "; ".join([frames, *(filter(None, found) if any(found) else ["its verdicts are whole"])])


@contextlib.contextmanager
def _unheld(folder: Path) -> Iterator[bool]:
    """Whether no stream holds a folder (`runtime.files.output_folder`), and hold it meanwhile."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _may_begin_record(line: bytes) -> bool:
    """Whether it may be the beginning of a line of JSON; a power cut may leave zeros of it."""
    return not line or line[:1] in (b"{", b"\0")


def _kept(path: Path, torn: bytes) -> str:
    aside = path.with_name(f"{path.name}.torn-{datetime.now():%Y%m%d-%H%M%S}")
    try:
        write_new(aside, torn, 0o666)
    except EdgeclError:
        return "which was removed"
    return f"which is now in {aside.name}"
