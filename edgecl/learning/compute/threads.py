"""Number of training threads on a machine that other processes use as well.

OpenMP's threads wait for one another at the end of every layer, and spin while they do. Beside a
busy process, one of them is not running most of the time while the others spin for it: with as many
threads as there are cores a step then takes several times as long as with one thread less.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from runtime.machine import read_activity

LOG = logging.getLogger("edgecl.training")

WINDOW_S = 0.5
"""Shortest time over which the load of others is measured, in seconds."""


def others_busy_s(proc: Path = Path("/proc")) -> float:
    """Return the CPU seconds of all processes but this one and those that it started.

    torch compiles in processes of its own, which count as ours. Always 0 on a machine that does
    not tell.
    """
    busy = read_activity().busy_s
    return 0.0 if busy is None else busy - family_s(proc)


def family_s(proc: Path = Path("/proc")) -> float:
    """Return the CPU seconds of this process and of all that it started, ended ones included."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for entry in proc.glob("[0-9]*"):
        try:
            # The name in brackets may hold anything; the numbers follow its last bracket.
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        parents[int(entry.name)] = int(fields[1])
        seconds[int(entry.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    family = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    return sum(seconds.get(pid, 0.0) for pid in family)


class SharedCores:
    """Threads for as many cores as the other processes leave.

    Args:
        most: threads on an idle machine.
        cores: of the machine.
        busy_s: CPU seconds that others have used, ever rising.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        most: int,
        cores: int,
        *,
        busy_s: Callable[[], float] = others_busy_s,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._cores = cores
        self._busy_s = busy_s
        self._clock = clock
        self._since = clock(), busy_s()

    def threads(self) -> int | None:
        """Return the number of threads for the next epoch; None where too little time has passed.

        The load of others is their mean over the time since the last answer.
        """
        now, busy = self._clock(), self._busy_s()
        seconds = now - self._since[0]
        if seconds < WINDOW_S:
            return None
        others = max(0.0, busy - self._since[1]) / seconds
        self._since = now, busy
        return max(1, min(self._most, round(self._cores - others)))


@contextmanager
def sharing_cores(device: torch.device) -> Iterator[Callable[[], None]]:
    """Yield a function that sets torch's threads for the next epoch; they are put back at the end.

    It does nothing where the number of threads is settled: where a GPU computes, and where
    OMP_NUM_THREADS says how many there are.
    """
    most = torch.get_num_threads()
    if device.type != "cpu" or most == 1 or "OMP_NUM_THREADS" in os.environ:
        yield lambda: None
        return
    cores = SharedCores(most, os.cpu_count() or most)

    def take_free_cores() -> None:
        threads = cores.threads()
        if threads is not None and threads != torch.get_num_threads():
            LOG.info("%d training thread(s) from here on, beside other processes", threads)
            torch.set_num_threads(threads)

    try:
        yield take_free_cores
    finally:
        torch.set_num_threads(most)
