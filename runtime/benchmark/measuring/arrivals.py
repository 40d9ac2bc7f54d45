"""Schedules of arrivals, and delays behind them: pure functions."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InputError
from runtime.stream.budget import parse_time

_CADENCE_HINT = "use frames per second or the time between two: --cadence 30fps, --cadence 33ms"
_FRAMES_PER_S = re.compile(r"^(\d+(?:\.\d*)?|\.\d+)\s*fps$", re.ASCII | re.IGNORECASE)

FASTEST_HZ = 100_000.0
"""Highest rate that makes sense: the benchmark itself takes some microseconds per frame."""


def parse_cadence(text: str) -> float:
    """Read `30fps` or `33ms` as frames per second.

    Raises:
        InputError: it is neither, or not above zero.
    """
    found = _FRAMES_PER_S.match(text.strip())
    if found is None:
        return 1e9 / parse_time(text, _CADENCE_HINT, f"cadence {text!r}")
    rate = float(found[1])
    if not 0 < rate <= FASTEST_HZ:
        raise InputError(
            f"cadence {text!r} is not above 0 and at most {FASTEST_HZ:g} frames/s",
            hint=_CADENCE_HINT,
        )
    return rate


def parse_bound(text: str) -> float:
    """Read `20ms` as milliseconds.

    Raises:
        InputError: it is not a time above zero.
    """
    return parse_time(text, "use a time with its unit: --bound 20ms", f"bound {text!r}") / 1e6


def poisson_arrivals(rate_hz: float, count: int, *, seed: int, turn: int) -> NDArray[np.int64]:
    """Moments of arrival whose gaps are exponential, the same for every side of a turn.

    Args:
        rate_hz: arrivals per second on average.
        count: how many.
        seed: of the benchmark.
        turn: number of the round; each has a schedule of its own.

    Returns:
        Nanoseconds since the turn began, ascending, the first at 0.
    """
    gaps = np.random.default_rng((seed, turn)).exponential(1e9 / rate_hz, count)
    gaps[0] = 0
    return np.asarray(np.rint(np.cumsum(gaps)), np.int64)


def lateness(
    due: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how far behind its schedule each query began, other than by the one before it.

    A query that waits for the one before is a queue, and its wait is latency. A query that
    begins late though nothing was being judged was brought late by the benchmark itself.

    Args:
        due: when each query was to arrive, in nanoseconds.
        starts: when it began.
        ends: when it was answered.
    """
    before = np.concatenate((due[:1], ends[:-1]))
    return np.asarray(np.maximum(0, starts - np.maximum(due, before)), np.int64)


def late_limit_ns(rate_hz: float) -> int:
    """Return the lateness from which an arrival counts as behind its schedule, in nanoseconds.

    A twentieth of the mean time between two arrivals, between 0.5 and 5 ms: an operating system's
    own wake-up stays below.
    """
    return math.floor(min(5e6, max(5e5, 0.05 * 1e9 / rate_hz)))
