"""Verdicts as lines of JSON in a file."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from runtime.errors import InputError
from runtime.files.atomic import explained
from runtime.files.document import Document
from runtime.stream.sinks.base import Sink, SinkRequest

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
        self.lost = 0
        self.problem = ""
        self._write = write
        self._capacity = capacity
        self._waiting: deque[Lined] = deque()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._good = 0  # the file's length up to the last whole line
        self._file = _create(path)
        self._thread = threading.Thread(target=self._run, name="verdicts", daemon=True)
        self._thread.start()

    def emit(self, verdict: Lined) -> None:
        """Leave a verdict for the writer. With no room left, the oldest that waits is lost."""
        with self._lock:
            if len(self._waiting) >= self._capacity:
                self._waiting.popleft()
                self.lost += 1
            self._waiting.append(verdict)

    def close(self) -> None:
        """Write what waits, once, and close the file. Closing twice is fine."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join(timeout=10.0)
        with self._lock:
            self.lost += len(self._waiting)
            self._waiting.clear()
        if not self._thread.is_alive():  # else the disk hangs, and so would closing the file
            os.close(self._file)

    def _run(self) -> None:
        retry_at = 0.0
        while not self._closing.wait(PERIOD_S):
            if time.monotonic() >= retry_at and not self._flush():
                retry_at = time.monotonic() + RETRY_S
        self._flush()

    def _flush(self) -> bool:
        """Write all that waits; False when the disk refused."""
        while batch := self._take():
            data = b"".join(msgspec.json.encode(verdict.line()) + b"\n" for verdict in batch)
            try:
                self._append(data)
            except OSError as error:
                self.problem = error.strerror or str(error)
                self._put_back(batch)
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

    def _take(self) -> list[Lined]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]

    def _put_back(self, batch: list[Lined]) -> None:
        with self._lock:
            room = max(0, self._capacity - len(self._waiting))
            self.lost += max(0, len(batch) - room)
            self._waiting.extendleft(reversed(batch[max(0, len(batch) - room) :]))


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
