"""The epochs of a run for TensorBoard, beside the metrics.jsonl that always is there."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edgecl.learning.documents import EpochMeasures
from runtime.errors import InputError
from runtime.files.atomic import explained, replacing
from runtime.files.document import plain

FOLDER = "tensorboard"
# Older files of this name in the folder are edgecl's own, and replaced.
_FILES = "events.out.tfevents.*.edgecl"
_NO_SCALARS = ("stage", "epoch")


class TensorBoardLog:
    """Writes the scalars of each epoch as `STAGE/MEASURE`, with the epoch as the step.

    The first call writes all epochs so far into a new file and removes the files of processes
    before: a resumed run has every step once, in order. Later calls append what is new. Wall times
    count the seconds of training alone.

    Args:
        run: the run directory; its folder `tensorboard` is made by the first call.
        clock: seconds since 1970.

    Raises:
        InputError: TensorBoard is not installed, or does not load.
    """

    def __init__(self, run: Path, clock: Callable[[], float] = time.time) -> None:
        try:
            import tensorboard.compat.proto.event_pb2
            import tensorboard.summary.writer.record_writer  # noqa: F401
        except ImportError as error:
            raise InputError(
                f"the log in {run / FOLDER} needs TensorBoard, which cannot be imported ({error})",
                hint="install it: pip install 'edgecl[tensorboard]'; or continue without "
                "it: omit --tensorboard and delete that folder",
            ) from error
        self._folder = run / FOLDER
        self._clock = clock
        self._path: Path | None = None
        self._start = 0.0
        self._written = 0

    def __call__(self, history: Sequence[EpochMeasures]) -> None:
        """Bring the file up to date.

        Args:
            history: all epochs so far.

        Raises:
            InputError: the file cannot be written.
        """
        if self._path is None:
            now = self._clock()
            self._start = now - sum(epoch.seconds for epoch in history)
            self._path = self._folder / _FILES.replace("*", f"{int(now):010}")
            with replacing(self._path) as temporary:
                temporary.write_bytes(_encode(history, 0, self._start))
            for other in set(self._folder.glob(_FILES)) - {self._path}:
                other.unlink(missing_ok=True)
        elif len(history) > self._written:
            with explained(self._path), open(self._path, "ab") as stream:
                stream.write(_encode(history, self._written, self._start))
        self._written = len(history)


def open_log(run: Path, *, asked_for: bool) -> TensorBoardLog | None:
    """Open the log of a run if one is requested, or was before the run was interrupted.

    Raises:
        InputError: see `TensorBoardLog`.
    """
    return TensorBoardLog(run) if asked_for or (run / FOLDER).is_dir() else None


def _encode(history: Sequence[EpochMeasures], first: int, start: float) -> bytes:
    """The records of all epochs from number `first`; with 0, the header before them.

    Args:
        start: the wall time at which the history began.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    writer = RecordWriter(stream)
    if first == 0:
        writer.write(Event(wall_time=start, file_version="brain.Event:2").SerializeToString())
    passed = sum(epoch.seconds for epoch in history[:first])
    for epoch in history[first:]:
        passed += epoch.seconds
        values = [
            Summary.Value(tag=f"{epoch.stage}/{name}", simple_value=value)
            for name, value in plain(epoch).items()
            if name not in _NO_SCALARS and value is not None
        ]
        event = Event(wall_time=start + passed, step=epoch.epoch, summary=Summary(value=values))
        writer.write(event.SerializeToString())
    return stream.getvalue()
