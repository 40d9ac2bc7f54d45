"""Verdicts as lines of JSON in a file."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from runtime.errors import InputError
from runtime.files.atomic import explained
from runtime.files.document import Document
from runtime.stream.sinks.base import Sink, SinkRequest
from runtime.stream.sinks.waiting import WaitingQueue, flush_until

PERIOD_S = 0.05
"""Longest wait of a verdict before it is written, in seconds. Waking the writer per frame takes
the interpreter from the judge."""

RETRY_S = 1.0
WAITING_LINES = 10_000
_BATCH = 500


class Lined(Protocol):
    """A verdict on a frame, or on a part, that has a line of JSON."""

    def line(self) -> Document:
        """Return the line."""


class JsonLinesSink(Sink):
    """Appends a line per verdict to a file, from a thread of its own.

    A disk that is full or gone neither stops nor slows the stream. The lines wait, up to
    `capacity`, and are tried again; what does not fit is lost and counted. The file holds whole
    lines only.

    Args:
        path: the file; it must not exist.
        capacity: verdicts that may wait for the disk.
        write: `os.write`; tests hand in a broken one.

    Raises:
        InputError: the file cannot be made, or one is there already.
    """

    name = "jsonl"
    isolated = True

    def __init__(
        self,
        path: Path,
        *,
        capacity: int = WAITING_LINES,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        self.path = path
        self.written = 0
        self.problem = ""
        self._write = write
        self._waiting: WaitingQueue[Lined] = WaitingQueue(capacity)
        self._closing = threading.Event()
        self._good = 0  # the file's length up to the last whole line
        self._file = _create(path)
        self._thread = threading.Thread(target=self._run, name="verdicts", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:  # type: ignore[override]
        """Verdicts that the disk has cost."""
        return self._waiting.lost

    def emit(self, verdict: Lined) -> None:
        """Leave a verdict for the writer. With no room left, the oldest that waits is lost."""
        self._waiting.put(verdict)

    def close(self) -> None:
        """Write what waits, once, and close the file. Closing twice is fine."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join(timeout=10.0)
        self._waiting.abandon()
        if not self._thread.is_alive():  # else the disk hangs, and so would closing the file
            os.close(self._file)

    def _run(self) -> None:
        flush_until(self._closing, self._flush, period_s=PERIOD_S, retry_s=RETRY_S)

    def _flush(self) -> bool:
        """Write all that waits; False when the disk refused."""
        while batch := self._waiting.take(_BATCH):
            data = b"".join(msgspec.json.encode(verdict.line()) + b"\n" for verdict in batch)
            try:
                self._append(data)
            except OSError as error:
                self.problem = error.strerror or str(error)
                self._waiting.put_back(batch)
                return False
            self.written += len(batch)
        return True

    def _append(self, data: bytes) -> None:
        rest = data
        try:
            while rest:
                rest = rest[self._write(self._file, rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._good)
            raise
        self._good += len(data)


def open_json_lines(request: SinkRequest) -> Sink:
    """Open the sink of `--sink jsonl:FILE`."""
    return JsonLinesSink(request.file("a file name, as in jsonl:copy.jsonl"))


def _create(path: Path) -> int:
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        except FileExistsError:
            raise InputError(
                f"{path} already exists, as from an earlier stream",
                hint="choose another folder or name, or move that file",
            ) from None
