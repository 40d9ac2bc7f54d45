"""Ctrl-C, SIGTERM and a lost terminal as a request to end, not as an accident."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_INTERRUPTED = 130
TWICE_S = 2.0
"""Seconds in which two signals count as one: terminals and supervisors send theirs twice."""

_asked_s = -TWICE_S
_raised: list[int] = []
"""Signals that became a KeyboardInterrupt. It ends the command, or is lost: where it strikes in a
callback, as Python's import system has them, Python prints it and goes on."""


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and a lost terminal end the block as Ctrl-C does: what was begun is cleared away.

    What the caller told the process to ignore, as `nohup` does, stays ignored. A process that has
    number 1, as in a container, would not even hear a signal without a handler. Ranks of torchrun
    stay as they are: it ends them one and all, also those that wait for a rank that is gone.
    """

    def interrupt(number: int, frame: object) -> None:
        if number == signal.SIGINT or not _is_repeated():
            _raised.append(number)
            raise KeyboardInterrupt

    _raised.clear()
    if threading.current_thread() is not threading.main_thread() or _is_rank():
        yield
        return
    usual = {signal.SIGINT: signal.default_int_handler}
    before = {
        number: handler
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if (handler := signal.getsignal(number)) == usual.get(number, signal.SIG_DFL)
    }
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def was_interrupted() -> bool:
    """Return whether a signal has ended the last block of `ended_like_ctrl_c`, or should have.

    An extension module that is being imported makes an ImportError of the KeyboardInterrupt.
    """
    return bool(_raised)


@contextmanager
def stop_signals(hang_ups: list[int] | None = None) -> Iterator[list[int]]:
    """Collect SIGINT, SIGTERM and SIGHUP instead of dying of them.

    The second SIGINT or SIGTERM ends the process, but for one that `timeout` and others send twice
    at once. SIGHUP never does: whoever closes a terminal sends it more than once, and the stream's
    summary is still to be written. Where it is ignored, as under `nohup`, it stays so.

    Args:
        hang_ups: gets each SIGHUP, which then asks for nothing else; None where it ends the work.

    Yields:
        The signals that came. The handler does nothing else: it may interrupt any line. One that
        came before, and did not get through, is among them.
    """
    received: list[int] = []

    def handle(number: int, frame: object) -> None:
        if number == signal.SIGHUP and hang_ups is not None:
            hang_ups.append(number)
            return
        if number != signal.SIGINT and _is_repeated():
            return
        if number != signal.SIGHUP and any(before != signal.SIGHUP for before in received):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                if sys.stderr.isatty():  # the live view hides the cursor
                    os.write(sys.stderr.fileno(), b"\x1b[?25h")
            os._exit(EXIT_INTERRUPTED)
        received.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hang_ups is not None or signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    received += _raised
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_repeated() -> bool:
    """Whether this SIGTERM or SIGHUP belongs to one that came just before, to whichever handler.

    A stream that was asked to end still has its summary to write when the next one comes.
    """
    global _asked_s
    before_s, _asked_s = _asked_s, time.monotonic()
    return _asked_s - before_s < TWICE_S


def _is_rank() -> bool:
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"
