"""Deadline of the frame that a thread judges, for sessions that can give up a request by then."""

from __future__ import annotations

import threading


class _Held(threading.local):
    until_ns: int | None = None


_HELD = _Held()


class AnswersBy:
    """Let sessions that this thread asks in the block know by when their answer is of use.

    Args:
        deadline_ns: monotonic nanoseconds; None for never.
    """

    __slots__ = ("_deadline_ns",)

    def __init__(self, deadline_ns: int | None) -> None:
        self._deadline_ns = deadline_ns

    def __enter__(self) -> None:
        _HELD.until_ns = self._deadline_ns

    def __exit__(self, *_: object) -> None:
        _HELD.until_ns = None


def answer_deadline() -> int | None:
    """Return by when this thread needs its answer, in monotonic nanoseconds; None for never."""
    return _HELD.until_ns
