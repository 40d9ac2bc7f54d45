"""Watch a build and end it: TensorRT works for minutes inside one call."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from runtime.progress import StageProgress

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def silent(stage: str, done: int, total: int, text: str) -> None:
    """Report nothing."""


def build_monitor(
    trt: Any, stage: str, report: StageProgress, cancelled: Callable[[], bool]
) -> Any:
    """A `trt.IProgressMonitor` that reports the build's outermost steps.

    TensorRT calls it from its own threads.

    Args:
        stage: the name to report under.
        cancelled: asked at every step; once it is true, TensorRT ends the build.
    """

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._outer, self._done, self._total = "", 0, 0
            # An exception must not cross into TensorRT; the builder raises it again afterwards.
            self.error: BaseException | None = None

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if parent_phase is None:
                self._outer, self._done, self._total = phase_name, 0, num_steps
            self._tell(phase_name)

        def step_complete(self, phase_name: str, step: int) -> bool:
            if phase_name == self._outer:
                self._done = step + 1
                self._tell(phase_name)
            return self.error is None and not cancelled()

        def phase_finish(self, phase_name: str) -> None:
            pass

        def _tell(self, text: str) -> None:
            try:
                report(stage, self._done, self._total, text)
            except BaseException as error:
                self.error = error

    return Monitor()


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C during the block into a question that can be asked; after it, it is raised.

    Python's own handler waits until TensorRT returns, which is minutes, or raises inside one of
    its callbacks, which it does not survive. The same holds for SIGTERM and SIGHUP where somebody
    handles them; where nobody does, they end the process as ever. A second signal ends it at once.

    Yields:
        Whether a signal came.

    Raises:
        KeyboardInterrupt: it came; or whatever its handler raises.
    """
    came: list[int] = []

    def handle(number: int, frame: object) -> None:
        if came:
            os._exit(128 + signal.SIGINT)
        came.append(number)

    mine = threading.current_thread() is threading.main_thread()
    handled = [number for number in SIGNALS if mine and callable(signal.getsignal(number))]
    before = {number: signal.signal(number, handle) for number in handled}
    try:
        yield lambda: bool(came)
    except BaseException:
        if not came:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])
        raise KeyboardInterrupt
