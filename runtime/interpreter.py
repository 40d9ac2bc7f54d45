"""Python's interpreter, tuned for latency while frames are judged."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_INTERVAL_S = 2e-4
"""Switch interval of threads, in seconds. Python's 5 ms would show as latency."""


@contextmanager
def tuned_for_latency() -> Iterator[None]:
    """Let threads take turns sooner, and the garbage collector leave alone what exists now.

    For a process whose job is the block; at its end all is as it was.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()  # what exists now stays: the collector need not walk it meanwhile
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(interval)
