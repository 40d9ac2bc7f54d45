"""Standard output and error that may fail without taking the work with them.

A terminal closes, a pipe's reader goes away, a log's disk is full: none of it may raise out of
whatever happened to print, nor hold up a stream. Whatever can be written is; the first failure is
remembered, so that the exit code can tell it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import stat
import sys
import time
from typing import Any

from runtime.secrets import redact
from runtime.systemd import PriorityPrefix, is_journal

PATIENCE_S = 0.2
"""Time that a message waits for a slow reader of standard error, in seconds."""

PIECE = select.PIPE_BUF
"""Bytes that a pipe takes at once where it says that it takes any."""

ENCODING = "utf-8"
"""Encoding of a stream that the caller closed; nobody reads it."""


class SteadyOutput(io.RawIOBase):
    """A file descriptor to write to; errors on it are never raised.

    Args:
        descriptor: stays the caller's; it is never closed.
        name: as Python calls the stream.
        patience_s: how long to wait for a reader that does not read before what was to be written
            is dropped, in seconds; None to wait for ever. After a stall nothing waits until
            something could be written again.
        lasting: drop all that comes after a first failure, so that what was written is the
            beginning of the whole; else every write is tried.
        closed: the caller had closed it: nobody gets what is written.
    """

    def __init__(
        self,
        descriptor: int,
        name: str,
        *,
        patience_s: float | None,
        lasting: bool,
        closed: bool = False,
    ) -> None:
        self.name = name
        self.problem: OSError | None = None
        self._closed_before = closed
        self._descriptor = descriptor
        self._patience_s = patience_s
        self._lasting = lasting
        self._stalled = False
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def writable(self) -> bool:
        """Return True: what cannot be written is dropped."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: Any, /) -> int:
        """Write what can be written.

        Returns:
            The bytes of `data`, always all of them.
        """
        rest = whole = memoryview(data).cast("B")
        if self._closed_before and rest:
            self.problem = OSError(errno.EBADF, "it is closed")
            return len(whole)
        while rest and not (self._lasting and self.problem):
            try:
                if not self._takes_some():
                    break
                rest = rest[os.write(self._descriptor, rest[:PIECE]) :]
            except BlockingIOError:  # another process was quicker
                if self._patience_s is not None:
                    self._stalled = True
                    break
                time.sleep(0.001)
            except OSError as error:
                self.problem = self.problem or error
                break
        return len(whole)

    def _takes_some(self) -> bool:
        if self._patience_s is None:
            self._poll.poll()
            return True
        self._stalled = not self._poll.poll(0 if self._stalled else 1000 * self._patience_s)
        return not self._stalled


class SteadyText(io.TextIOWrapper):
    """The text stream over a `SteadyOutput`."""

    mode = "w"
    prefix: PriorityPrefix | None = None

    @property
    def problem(self) -> OSError | None:
        """The first thing that could not be written; None while all could."""
        output = self.buffer.raw  # type: ignore[attr-defined]
        return output.problem if isinstance(output, SteadyOutput) else None

    def write(self, text: str, /) -> int:
        """Write text, as far as anybody takes it, without the passwords of addresses in it."""
        shown = redact(text)
        super().write(shown if self.prefix is None else self.prefix.apply(shown))
        return len(text)


def guard_standard_streams() -> None:
    """Put steady streams in the place of `sys.stdout` and `sys.stderr`, once per process.

    Called before anything opens a file: of descriptors 0, 1 and 2 those that the caller closed
    are opened on the null device, or the next file would get what goes to standard error.
    Standard output waits for its reader, as a pager expects; standard error does not. A stream
    that somebody else replaced, as test runners do, stays theirs.
    """
    closed = [descriptor for descriptor in range(3) if _open_if_closed(descriptor)]
    if _is_plain(sys.stdout, 1):
        sys.stdout = _steady(
            sys.stdout, 1, "<stdout>", patience_s=None, lasting=True, closed=1 in closed
        )
    if _is_plain(sys.stderr, 2):
        journal = is_journal(2)
        steady = _steady(sys.stderr, _own(2), "<stderr>", patience_s=PATIENCE_S, lasting=False)
        steady.prefix = PriorityPrefix() if journal else None
        sys.stderr = steady


def silence_native_output() -> None:
    """Send what native code prints to file descriptor 2 to the null device; Python's stays.

    OpenCV, FFmpeg, libpng and V4L2 print about a missing camera or a cut image past every log
    level. We say such things ourselves, in one line. Commands call this once, at their start,
    unless `--debug` is on.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    guard_standard_streams()
    if not isinstance(sys.stderr, SteadyText) or sys.stderr.fileno() == 2:
        return  # a test runner's, or there is no descriptor left for a copy
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)


def problem_of_standard_output() -> OSError | None:
    """Write out what waits and tell what could not be written; None where all was.

    A reader that has enough, as in `edgecl … | head`, is no problem.
    """
    if sys.stdout is None:
        return None
    sys.stdout.flush()
    problem = sys.stdout.problem if isinstance(sys.stdout, SteadyText) else None
    return None if problem is not None and problem.errno == errno.EPIPE else problem


def _open_if_closed(descriptor: int) -> bool:
    """Open a descriptor that is closed on the null device; whether it was."""
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)
        os.set_inheritable(descriptor, True)
        return True
    return False


def _is_plain(stream: Any, descriptor: int) -> bool:
    """Whether it is what Python opened over the descriptor, or nothing, as where it was closed."""
    if stream is None:
        return True
    try:
        mine: bool = type(stream) is io.TextIOWrapper and stream.fileno() == descriptor
    except (OSError, ValueError):
        return False
    return mine


def _own(descriptor: int) -> int:
    """A descriptor of our own for the same file; of pipes and terminals one that never blocks.

    To make the caller's own non-blocking would change it for all who share it.
    """
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode) or os.isatty(descriptor):
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
            return os.open(f"/dev/fd/{descriptor}", flags)
    with contextlib.suppress(OSError):
        return os.dup(descriptor)
    return descriptor


def _steady(
    before: Any,
    descriptor: int,
    name: str,
    *,
    patience_s: float | None,
    lasting: bool,
    closed: bool = False,
) -> SteadyText:
    output = SteadyOutput(descriptor, name, patience_s=patience_s, lasting=lasting, closed=closed)
    if before is not None:
        with contextlib.suppress(OSError, ValueError):
            before.flush()
    return SteadyText(
        io.BufferedWriter(output),
        encoding=before.encoding if before is not None else ENCODING,
        # A file name that is not UTF-8 must not end the command that prints it.
        errors="backslashreplace",
        line_buffering=patience_s is not None or output.isatty(),
        write_through=getattr(before, "write_through", False),
    )
