"""Several streams in one process, each with accounts of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack

from runtime.interpreter import tuned_for_latency
from runtime.stream.ledger import Snapshot
from runtime.stream.pipeline import Pipeline

LOG = logging.getLogger("edgecl.station")

_TICK_S = 0.05


class Station:
    """Streams of several cameras, which begin together and end one by one.

    A camera that comes to its end, or is lost for good, ends its own stream; the others go on.
    Cameras, sessions and sinks are the caller's to close.

    Args:
        pipelines: by the camera's name.
        vital: names of cameras whose failure ends all streams.
        on_end: is told the name of a camera whose last verdict is out, from `wait` or `close`.
        own_process: see `Pipeline`.
    """

    def __init__(
        self,
        pipelines: Mapping[str, Pipeline],
        *,
        vital: Collection[str] = (),
        on_end: Callable[[str], None] = lambda name: None,
        own_process: bool = False,
    ) -> None:
        self.pipelines = dict(pipelines)
        self._vital = frozenset(vital)
        self._on_end = on_end
        self._own_process = own_process
        self._tuning = ExitStack()
        self._ended: set[str] = set()
        self._started_ns = self._ended_ns = 0

    @property
    def seconds(self) -> float:
        """Return how long the station has run, or ran."""
        return ((self._ended_ns or time.monotonic_ns()) - self._started_ns) / 1e9

    def start(self) -> None:
        """Start all streams."""
        if self._own_process:
            self._tuning.enter_context(tuned_for_latency())
        self._started_ns = time.monotonic_ns()
        for pipeline in self.pipelines.values():
            pipeline.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of all streams; False when the time was up before."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self._look()
            running = [p for name, p in self.pipelines.items() if name not in self._ended]
            left = _TICK_S if until is None else until - time.monotonic()
            if not running or left <= 0:
                return not running
            running[0].wait(min(_TICK_S, left))

    def stop(self) -> None:
        """Ask for the end of all streams: frames that were read are still judged."""
        for pipeline in self.pipelines.values():
            pipeline.stop()

    def close(self) -> dict[str, Snapshot]:
        """Close all streams at the same time: what hangs in one delays no other.

        Returns:
            The accounts by camera. What ended a stream early is its `failure`.
        """
        self.stop()
        snapshots: dict[str, Snapshot] = {}

        def close(name: str, pipeline: Pipeline) -> None:
            snapshots[name] = pipeline.close()

        threads = [
            threading.Thread(target=close, args=item, name=f"end of {item[0]}")
            for item in self.pipelines.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name in self.pipelines:
            self._end(name)
        self._ended_ns = self._ended_ns or time.monotonic_ns()
        self._tuning.close()
        return {name: snapshots[name] for name in self.pipelines}

    @property
    def failures(self) -> dict[str, BaseException]:
        """Return what ended streams early, by camera."""
        failed = {name: pipeline.failure for name, pipeline in self.pipelines.items()}
        return {name: failure for name, failure in failed.items() if failure is not None}

    def _look(self) -> None:
        """Note which streams have ended since the last look, and what follows for the others."""
        for name, pipeline in self.pipelines.items():
            if name not in self._ended and pipeline.wait(0):
                LOG.info("camera %s has ended", name)
                self._end(name)
        # A failure may be known a moment after the last verdict.
        if any(self.pipelines[name].failure is not None for name in self._vital):
            self.stop()

    def _end(self, name: str) -> None:
        if name not in self._ended:
            self._ended.add(name)
            self._on_end(name)
