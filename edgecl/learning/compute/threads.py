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

import torch

from runtime.machine import read_activity

LOG = logging.getLogger("edgecl.training")

WINDOW_S = 0.5
"""Shortest time over which the load of others is measured, in seconds."""


def others_busy_s() -> float:
    """Return the CPU seconds that all other processes have used since the machine started."""
    activity = read_activity()
    return (activity.busy_s or activity.own_s) - activity.own_s


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
