"""Steadiness of the cores' clock while sides are measured, as far as a machine shows it.

Where the system tells frequencies, that of the fastest core counts: it is the one that has just
worked. A virtual machine tells none, or a constant; there a fixed piece of work stands in, timed
between turns. It is slowed by whatever shares the core too, so only a lasting change counts: the
best time within a part of the run, against that of the other parts.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

import numpy as np

from runtime.benchmark.conditions.document import CoreClock

TRIES = 12
"""Repetitions of the piece of work in one sample; the quickest counts."""

REST_S = 0.005
"""Pause before a sample, in seconds: threads of engines spin on for a moment after their work."""

LEAST_TOLD = 8
"""Fewest samples of a told clock."""

PARTS = 8
"""Most parts of the run whose best times are compared."""

LEAST_IN_PART = 20
"""Fewest samples in a part. Where a neighbour has the other half of the core for seven tenths of
the time, all of so many are slowed in 1 of 1,000 parts."""

_WORK = bytes(16384)


def spin_ns() -> int:
    """Return the quickest of `TRIES` times of a fixed piece of work, in nanoseconds.

    The work is a hash of 16 KiB: it stays in the first cache, and takes tens of microseconds.
    """
    time.sleep(REST_S)
    best = 0
    for _ in range(TRIES):
        start = time.perf_counter_ns()
        hashlib.sha256(_WORK).digest()
        taken = time.perf_counter_ns() - start
        best = min(best or taken, taken)
    return best


def core_clock(told_mhz: Sequence[Sequence[float]], spins_ns: Sequence[int]) -> CoreClock | None:
    """Return how steady the clock was.

    Args:
        told_mhz: frequencies of the cores in each sample; empty where none are told.
        spins_ns: of `spin_ns`, in order. The first sample of both is from before the work, and is
            left out.

    Returns:
        None where there are too few samples to tell.
    """
    spins_ns, told_mhz = spins_ns[1:], told_mhz[1:]
    fastest = [max(cores) for cores in told_mhz if cores]
    if len(fastest) >= LEAST_TOLD and len(set(fastest)) > 1:
        low, middle, high = (float(value) for value in np.percentile(fastest, (5, 50, 95)))
        return CoreClock(source="told", swing=_rounded((high - low) / middle), samples=len(fastest))
    parts = min(PARTS, len(spins_ns) // LEAST_IN_PART)
    if parts < 2:
        return None
    best = [int(part.min()) for part in np.array_split(np.asarray(spins_ns), parts)]
    swing = (max(best) - min(best)) / max(best)
    return CoreClock(source="timed", swing=_rounded(swing), samples=len(spins_ns))


def _rounded(share: float) -> float:
    return round(share, 4)
