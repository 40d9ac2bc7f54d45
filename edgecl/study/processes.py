"""Several processes on one study."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path

from edgecl.learning.preparation import Report
from edgecl.study.execution import Failure, is_done, work
from edgecl.study.grid import Study, cells
from runtime.errors import EdgeclError

POLL_SECONDS = 1.0
# Read by OpenMP when torch is loaded, so it has to stand in the environment before.
_THREADS = "OMP_NUM_THREADS"


def work_together(study: Study, folder: Path, report: Report, *, processes: int) -> list[Failure]:
    """Like `work`, in `processes` new processes that share the machine's threads.

    Raises:
        EdgeclError: a process died of something that is nobody's input.
    """
    everything = cells(study)
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = str(max(1, (os.cpu_count() or 1) // processes))
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, mp_context=context, initializer=_quiet) as pool:
            running = {pool.submit(work, study, folder, _silent) for _ in range(processes)}
            failures: dict[str, Failure] = {}
            while running:
                done = sum(is_done(folder, cell) for cell in everything)
                report("study", done, len(everything), f"{processes} processes")
                finished, running = wait(running, POLL_SECONDS, FIRST_COMPLETED)
                for future in finished:
                    error = future.exception()
                    if error is not None:
                        for other in running:
                            other.cancel()
                        raise EdgeclError(
                            f"a process of the study died ({error}); run it again to go on"
                        ) from error
                    failures |= {failure.cell: failure for failure in future.result()}
            return list(failures.values())
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before


def _quiet() -> None:
    # Ctrl-C reaches the whole group; the first process speaks for all, and runs can be resumed.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _silent(stage: str, done: int, total: int, text: str) -> None:
    pass
