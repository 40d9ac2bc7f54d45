"""What TensorRT says while it works, as lines instead of text on the terminal."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LogLine:
    """One message.

    Args:
        severity: `internal_error`, `error`, `warning` or `info`.
    """

    severity: str
    text: str

    @property
    def is_error(self) -> bool:
        """Whether TensorRT calls it an error."""
        return self.severity in ("error", "internal_error")


@functools.cache
def log_recorder(trt: Any) -> Any:
    """The `trt.ILogger` of this process, made once.

    TensorRT keeps the first logger that it is given and warns of every other one; a logger that
    was collected would leave it with a dangling pointer. Use `recording` to read along.
    """

    class Recorder(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.lines: list[LogLine] = []

        def log(self, severity: Any, msg: str) -> None:
            name = severity.name.lower()
            if name != "verbose":
                self.lines.append(LogLine(name, msg.strip()))

    return Recorder()


@contextmanager
def recording(trt: Any) -> Iterator[tuple[Any, list[LogLine]]]:
    """Yield the logger of `trt` and the list to which its messages go during the block."""
    recorder = log_recorder(trt)
    before, recorder.lines = recorder.lines, []
    try:
        yield recorder, recorder.lines
    finally:
        recorder.lines = before
