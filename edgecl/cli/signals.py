"""Ctrl-C and SIGTERM as a request to end, not as an accident."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_INTERRUPTED = 130


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and a lost terminal end the block as Ctrl-C does: what was begun is cleared away.

    What the caller told the process to ignore, as `nohup` does, stays ignored.
    """

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) == signal.SIG_DFL
    ]
    for number in numbers:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying of them; the second one ends the process.

    Yields:
        The signals that came. The handler does nothing else: it may interrupt any line.
    """
    received: list[int] = []

    def handle(number: int, frame: object) -> None:
        if received:
            os.write(2, b"\x1b[?25h")  # the live view hides the cursor
            os._exit(EXIT_INTERRUPTED)
        received.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
