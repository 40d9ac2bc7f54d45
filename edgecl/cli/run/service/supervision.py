"""`edgecl run` as a service: what systemd is told, and SIGHUP as a new configuration."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, TypeVar

from edgecl.cli.run.service.reloading import Reloading
from runtime.counting import counted
from runtime.errors import InputError
from runtime.progress import Say
from runtime.stream.service.liveness import Liveness
from runtime.systemd import Notifier

if TYPE_CHECKING:
    from runtime.stream.pipeline import Pipeline

STATUS_EVERY_S = 5.0
WAITED_FOR: Mapping[str, str] = {
    "camera-unavailable": "camera",
    "server-unavailable": "inference server",
}
"""Things that a service waits for at its start, by the code of the error."""

RELOAD_END_S = 5.0
"""Longest wait of a stream's end for a configuration that is being read, in seconds."""

Opened = TypeVar("Opened")
LONGEST_PAUSE_S = 10.0
"""Longest pause between two tries at a camera that is not there yet, in seconds."""

MORE_TIME_S = 90.0
"""Seconds that a start asks for before each of these tries; no opening takes that long."""


class Supervision:
    """Tells systemd how the streams of a command are. All methods are the main thread's.

    Args:
        reloading: reads the configuration again; None where nothing does, and SIGHUP ends the
            command as it does on a terminal.
        notifier: systemd's socket.
        clock: seconds, monotonic.

    Attributes:
        asked: SIGHUPs that were not yet looked at, for `stop_signals`; None where SIGHUP ends the
            command.
    """

    def __init__(
        self,
        reloading: Reloading | None = None,
        notifier: Notifier | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier = notifier or Notifier()
        self._reloading = reloading
        self._clock = clock
        self._pipelines: Mapping[str, Pipeline] = {}
        self._liveness: dict[str, Liveness] = {}
        self._due = clock()
        self._status_due = clock()
        self._worker: threading.Thread | None = None
        supervised = self._notifier.is_there and reloading is not None
        self.asked: list[int] | None = [] if supervised else None

    def begin(self, pipelines: Mapping[str, Pipeline]) -> None:
        """Say that the streams, by their camera's name, run."""
        self._pipelines = pipelines
        now = self._clock()
        self._liveness = {name: Liveness(now) for name in pipelines}
        self._notifier.ready()

    def look(self) -> None:
        """Look at the streams: feed the watchdog, say how they are, and hear SIGHUP."""
        if not self._notifier.is_there:
            return
        self._hear()
        now = self._clock()
        # Each is asked, also where one hangs: a look compares with the one before.
        works = [
            self._liveness[name].look(pipeline.moment, now)
            for name, pipeline in self._pipelines.items()
            if not pipeline.wait(0)
        ]
        period = self._notifier.watchdog_s
        if period is not None and all(works) and now >= self._due:
            self._notifier.alive()
            self._due = now + period / 4
        if now >= self._status_due:
            self._status_due = now + STATUS_EVERY_S
            self._notifier.status("; ".join(self._lines()))

    def end(self) -> None:
        """Say that the streams come to their end."""
        if self._worker is not None:
            self._worker.join(RELOAD_END_S)
        self._notifier.stopping()

    def _hear(self) -> None:
        """Read the configuration again where that was asked for.

        A recipe whose bundle is another one is opened for it, which may take longer than the
        watchdog waits: so that is the work of another thread.
        """
        if self._worker is not None and not self._worker.is_alive():
            self._worker = None
            self._notifier.ready()
        if self.asked and self._worker is None:
            assert self._reloading is not None
            self.asked.clear()
            self._notifier.reloading()
            self._worker = threading.Thread(
                target=self._reloading.reload, args=(self._pipelines,), name="reload", daemon=True
            )
            self._worker.start()

    def _lines(self) -> list[str]:
        lines = []
        for name, pipeline in self._pipelines.items():
            snapshot = pipeline.ledger.snapshot()
            counts = ", ".join(f"{status} {n}" for status, n in snapshot.statuses.items() if n)
            told = f"{counted(snapshot.captured, 'frame')}: {counts or 'no verdict yet'}"
            told += (
                f"; {counted(snapshot.misses, 'budget miss', 'budget misses')}"
                if snapshot.misses
                else ""
            )
            told += "; the camera is lost, and opened again" if pipeline.moment.away else ""
            lines.append(f"{name}: {told}" if name else told)
        return lines


def open_when_there(
    opener: Callable[[], Opened],
    say: Say,
    *,
    notifier: Notifier | None = None,
    wait: Callable[[float], object] = time.sleep,
) -> Opened:
    """Open a camera or a server; as a service, wait for one that is not there yet.

    After a power cut a box is up before these are, and its service must not give up.

    Args:
        opener: opens it.
        say: is told each new reason.
        wait: waits for seconds.

    Raises:
        InputError: it cannot be opened; as a service, for a reason that waiting does not cure.
    """
    from runtime.camera.live.backoff import pauses

    notifier = notifier or Notifier()
    told = ""
    for pause in pauses(Random(), longest=LONGEST_PAUSE_S):
        notifier.extend(MORE_TIME_S)
        try:
            return opener()
        except InputError as error:
            if not notifier.is_there or error.code not in WAITED_FOR:
                raise
            if error.problem != told:
                told = error.problem
                say(f"note: {told}; the service waits for it")
            notifier.status(f"waits for its {WAITED_FOR[error.code]}: {told}")
        wait(pause)
    raise AssertionError("pauses have no end")
