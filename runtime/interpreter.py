"""Python's interpreter, tuned for latency while frames are judged."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_INTERVAL_S = 2e-4
"""Switch interval of threads, in seconds. Python's 5 ms would show as latency."""
_FROZEN_BY_PYTHON = 1000
"""More objects than these, and the program froze them: Python 3.12 freezes some hundred itself."""


@contextmanager
def tuned_for_latency() -> Iterator[None]:
    """Let threads take turns sooner, and the garbage collector leave alone what exists now.

    For a process whose job is the block; at its end all is as it was. What a program that embeds
    the block froze before stays frozen, which unfreezing could not tell from what came later.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    frozen = gc.get_freeze_count() > _FROZEN_BY_PYTHON
    gc.collect()
    if not frozen:
        gc.freeze()  # what exists now stays: the collector need not walk it meanwhile
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()
        sys.setswitchinterval(interval)
