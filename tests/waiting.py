"""Waiting for what other threads and processes do, without a moment that a busy machine misses."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 30.0
"""Seconds after which a test gives up; nothing is asserted of the time that it takes."""


def wait_until(done: Callable[[], bool], what: str = "what was waited for") -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.002)
