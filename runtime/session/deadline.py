"""Deadline of the frame that a thread judges, for sessions that can give up a request by then."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Held(threading.local):
    until_ns: int | None = None


_HELD = _Held()


@contextmanager
def answers_by(deadline_ns: int | None) -> Iterator[None]:
    """Let sessions that this thread asks in the block know by when their answer is of use.

    Args:
        deadline_ns: monotonic nanoseconds; None for never.
    """
    _HELD.until_ns = deadline_ns
    try:
        yield
    finally:
        _HELD.until_ns = None


def answer_deadline() -> int | None:
    """Return by when this thread needs its answer, in monotonic nanoseconds; None for never."""
    return _HELD.until_ns
