"""Verdicts as lines of JSON in a file."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import msgspec

from runtime.files.document import Document
from runtime.progress import Say
from runtime.stream.sinks.base import Sink, SinkRequest
from runtime.stream.sinks.journal import JournalFile
from runtime.stream.sinks.journal_rules import JournalRules, parse_journal
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
        path: the file; it must not exist, unless the rules let it go on.
        rules: how it is kept; by default it is one file, which the system forces to the disk.
        capacity: verdicts that may wait for the disk.
        report: is told of a torn line that was found.
        write: `os.write`; tests hand in a broken one.

    Raises:
        InputError: the file cannot be made, or one is there already.
    """

    name = "jsonl"
    isolated = True

    def __init__(
        self,
        path: Path,
        rules: JournalRules | None = None,
        *,
        capacity: int = WAITING_LINES,
        report: Say = lambda text: None,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        self.path = path
        self.problem = ""
        self._taken = 0  # by the file
        self._waiting: WaitingQueue[Lined] = WaitingQueue(capacity)
        self._closing = threading.Event()
        self._file = JournalFile(path, rules or JournalRules(), report=report, write=write)
        self._thread = threading.Thread(target=self._run, name="verdicts", daemon=True)
        self._thread.start()

    @property
    def written(self) -> int:
        """Verdicts that are in the file, or in closed ones; of `fsync=every`, on the disk."""
        return self._taken - self._file.displaced

    @property
    def lost(self) -> int:  # type: ignore[override]
        """Verdicts that the disk has cost, or who took the file away."""
        return self._waiting.lost + self._file.displaced

    @property
    def rotated(self) -> int:
        """Files that were closed, and others begun."""
        return self._file.rotated

    @property
    def removed(self) -> int:
        """Closed files that made room for newer ones."""
        return self._file.removed

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
            self._file.close()
            self.problem = self.problem or self._file.problem

    def _run(self) -> None:
        flush_until(self._closing, self._flush, period_s=PERIOD_S, retry_s=RETRY_S)

    def _flush(self) -> bool:
        """Write all that waits; False when the disk refused."""
        while batch := self._waiting.take(_BATCH):
            lines = [msgspec.json.encode(verdict.line()) + b"\n" for verdict in batch]
            written = self._file.append(lines)
            self.problem = self._file.problem
            self._taken += written
            if written < len(batch):
                self._waiting.put_back(batch[written:])
                return False
        try:
            self._file.sync_if_due()
        except OSError as error:
            self.problem = error.strerror or str(error)
        return True


def open_json_lines(request: SinkRequest) -> Sink:
    """Open the sink of `--sink jsonl:FILE`, which may have options of a journal."""
    name, rules = parse_journal(request.target)
    path = replace(request, target=name).file("a file name, as in jsonl:copy.jsonl")
    return JsonLinesSink(path, rules, report=request.report)
