"""Number of training threads on a machine that other processes use as well.

OpenMP's threads wait for one another at the end of every layer, and spin while they do. Beside a
busy process, one of them is not running most of the time while the others spin for it: with as many
threads as there are cores a step then takes several times as long as with one thread less.

Another number of threads rounds differently. So it is chosen once, when a run starts, and recorded:
a resumed run takes the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from runtime.machine import read_activity
from runtime.progress import StageProgress

WINDOW_S = 0.5
"""Shortest time over which the load of others is measured, in seconds."""

SETTLED_BY = "OMP_NUM_THREADS"
"""Variable of the environment with which the user says how many threads there are."""


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


class OthersLoad:
    """Load of the other processes since this was made.

    Args:
        busy_s: CPU seconds that others have used, ever rising.
        clock: monotonic seconds.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        *,
        busy_s: Callable[[], float] = others_busy_s,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._busy_s = busy_s
        self._clock = clock
        self._sleep = sleep
        self._since = clock(), busy_s()

    def cores(self) -> float:
        """Return how many cores others kept busy on average, after `WINDOW_S` seconds at least."""
        started, busy = self._since
        self._sleep(max(0.0, WINDOW_S - (self._clock() - started)))
        return max(0.0, self._busy_s() - busy) / max(self._clock() - started, WINDOW_S)


def free_threads(most: int, cores: int, others: float) -> int:
    """Return as many threads as other processes leave cores, 1 to `most`.

    Args:
        most: threads on an idle machine.
        cores: of the machine.
        others: cores that other processes keep busy.
    """
    return max(1, min(most, round(cores - others)))


def are_settled(device: torch.device) -> bool:
    """True where a GPU computes, one thread is all there is, or `OMP_NUM_THREADS` says how many."""
    return device.type != "cpu" or torch.get_num_threads() == 1 or SETTLED_BY in os.environ


def leave_cores_to_others(load: OthersLoad, device: torch.device, report: StageProgress) -> None:
    """Train with as many threads as others leave cores, unless that is settled already.

    Args:
        load: of the others.
        device: that computes.
        report: told where there are fewer than there could be.
    """
    if are_settled(device):
        return
    others, most = load.cores(), torch.get_num_threads()
    threads = free_threads(most, os.cpu_count() or most, others)
    if threads < most:
        torch.set_num_threads(threads)
        report(
            "threads",
            1,
            1,
            f"training with {threads} instead of {most}: other processes keep {others:.1f} cores "
            f"busy; {SETTLED_BY} settles it",
        )


@contextmanager
def restored_threads() -> Iterator[None]:
    """Put torch's number of threads back when the block ends."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
