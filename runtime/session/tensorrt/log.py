"""Log of TensorRT, as lines instead of text on the terminal."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
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


def log_recorder(trt: Any) -> Any:
    """The `trt.ILogger` of this process, made once.

    TensorRT keeps the first logger that it is given and warns of every other one; a logger that
    was collected would leave it with a dangling pointer. Use `recording` to read along.
    """
    with _MAKING:
        return _recorder(trt)


_MAKING = threading.Lock()


@functools.cache
def _recorder(trt: Any) -> Any:
    class Recorder(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.recordings: dict[int, list[LogLine]] = {}

        def log(self, severity: Any, msg: str) -> None:
            name = severity.name.lower()
            if name == "verbose":
                return
            line = LogLine(name, msg.strip())
            # What a thread of TensorRT's own says belongs to whoever listens.
            own = self.recordings.get(threading.get_ident())
            for lines in [own] if own is not None else list(self.recordings.values()):
                lines.append(line)

    return Recorder()


@contextmanager
def recording(trt: Any) -> Iterator[tuple[Any, list[LogLine]]]:
    """Yield the logger of `trt` and the list to which its messages go during the block.

    Several threads record at the same time, each what TensorRT says to it.
    """
    recorder, me = log_recorder(trt), threading.get_ident()
    before = recorder.recordings.get(me)
    lines: list[LogLine] = []
    recorder.recordings[me] = lines
    try:
        yield recorder, lines
    finally:
        if before is None:
            del recorder.recordings[me]
        else:
            recorder.recordings[me] = before


def errors_of(lines: Sequence[LogLine]) -> str:
    """The errors in one line, the first first: what follows is mostly its consequence."""
    errors = [" ".join(line.text.split()) for line in lines if line.is_error]
    return "; ".join(dict.fromkeys(errors))[:400] or "TensorRT gave no reason"
