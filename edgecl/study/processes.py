"""Several processes on one study."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path

from edgecl.study.cells import cells
from edgecl.study.documents import Failure
from edgecl.study.execution import count_done, work
from edgecl.study.geometry import settled
from edgecl.study.grid import Study
from runtime.errors import EdgeclError
from runtime.progress import StageProgress

POLL_SECONDS = 1.0
# Read by OpenMP when torch is loaded, so it has to stand in the environment before.
_THREADS = "OMP_NUM_THREADS"


def work_together(
    study: Study, folder: Path, report: StageProgress, *, processes: int
) -> list[Failure]:
    """Run `work` in `processes` new processes that share the machine's threads.

    However this ends, no process stays behind; what they were at can be resumed.

    Raises:
        EdgeclError: a process died of something that is nobody's input.
    """
    everything = cells(study)
    context = multiprocessing.get_context("spawn")
    running = {}
    failures: dict[str, Failure] = {}
    try:
        with _threads(max(1, (os.cpu_count() or 1) // processes)):
            for _ in range(processes):
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(study, folder, theirs), daemon=True)
                process.start()
                theirs.close()
                running[ours] = process
        while running:
            known = settled(folder, everything)
            done = count_done(folder, known)
            report("study", done, len(known), f"{len(running)} processes")
            for answer in wait(list(running), POLL_SECONDS):
                assert isinstance(answer, Connection)
                try:
                    failures |= {failure.cell: failure for failure in answer.recv()}
                except EOFError as error:
                    raise EdgeclError(
                        "a process of the study died", hint="run the same command again to continue"
                    ) from error
                running.pop(answer).join()
    finally:
        for process in running.values():
            process.terminate()
            process.join()
    return list(failures.values())


def _work(study: Study, folder: Path, answer: Connection) -> None:
    # Ctrl-C reaches the whole group: the first process speaks for all.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answer.send(work(study, folder, _silent))


def _end_with_parent() -> None:
    """End this process with its parent, which cannot do it if it is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Limit processes that start inside the block to `count` threads."""
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before


def _silent(stage: str, done: int, total: int, text: str) -> None:
    pass
