"""Latency distributions in constant memory: a stream that runs for a week needs no more."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from runtime.files.document import Part

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}

_SUB_BITS = 7
_TOP_BITS = 40
_BUCKETS = (_TOP_BITS - _SUB_BITS) << _SUB_BITS
# 128 buckets per power of two up to 2^40 ns (18 minutes): a bucket's middle is at most 1/256
# away from any value in it. Up to 255 ns each value has a bucket of its own.


class StepTimes(Part, frozen=True, kw_only=True):
    """Durations of one step of a stream's frames, in milliseconds; all 0 where there are none.

    Args:
        count: how many.
        p50_ms, p90_ms, p99_ms, p99_9_ms: percentiles, within 0.4 %.
    """

    count: int
    min_ms: float
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p99_9_ms: float
    max_ms: float


class LatencyHistogram:
    """Counts of durations in logarithmic buckets.

    Percentiles are within 0.4 % of the value in the raw data; minimum, maximum, mean and count
    are exact. Not locked: the caller sees to it that one thread records at a time.
    """

    __slots__ = ("_counts", "count", "last", "maximum", "minimum", "total")

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * _BUCKETS))
        self.count = 0
        self.total = 0
        self.minimum = 0
        self.maximum = 0
        self.last = 0

    def record(self, duration_ns: int) -> None:
        """Add one duration in nanoseconds; a negative one counts as 0."""
        value = max(0, duration_ns)
        self._counts[_bucket_of(value)] += 1
        if self.count == 0 or value < self.minimum:
            self.minimum = value
        if value > self.maximum:
            self.maximum = value
        self.count += 1
        self.total += value
        self.last = value

    def copy(self) -> LatencyHistogram:
        """A snapshot that later records do not change."""
        other = LatencyHistogram.__new__(LatencyHistogram)  # whose empty buckets nobody needs
        other._counts = self._counts[:]
        for name in ("count", "total", "minimum", "maximum", "last"):
            setattr(other, name, getattr(self, name))
        return other

    def percentile(self, share: float) -> float:
        """The smallest duration that at least `share` of all do not exceed, in nanoseconds.

        Args:
            share: 0 < share < 1; 0.99 for p99.
        """
        return self.percentiles([share])[0]

    def percentiles(self, shares: list[float]) -> list[float]:
        """Return several quantiles in one pass over the buckets; 0 where nothing was recorded."""
        if self.count == 0:
            return [0.0 for _ in shares]
        first = _bucket_of(self.minimum)
        counts: NDArray[np.uint64] = np.frombuffer(self._counts, np.uint64)
        cumulative = np.cumsum(counts[first : _bucket_of(self.maximum) + 1])
        # The small subtraction keeps 0.9 * 10 = 9.000000000000002 from reaching for the tenth.
        ranks = [max(1, math.ceil(share * self.count - 1e-9)) for share in shares]
        found = np.searchsorted(cumulative, np.asarray(ranks, np.uint64)) + first
        return [min(max(_middle(int(i)), self.minimum), self.maximum) for i in found]

    def counts_up_to(self, bounds_ns: Sequence[int]) -> list[int]:
        """Return how many durations are no longer than each bound, in nanoseconds.

        Those in a bound's own bucket count as no longer: they may be so by up to 0.8 %.
        """
        cumulative = np.cumsum(np.frombuffer(self._counts, np.uint64))
        found = (bisect_right(range(_BUCKETS), bound, key=_low) - 1 for bound in bounds_ns)
        return [int(cumulative[index]) for index in found]

    def times(self) -> StepTimes:
        """The figures of a summary."""
        found = self.percentiles(list(PERCENTILES.values()))
        p50, p90, p99, p99_9 = (value / 1e6 for value in found)
        return StepTimes(
            count=self.count,
            min_ms=self.minimum / 1e6,
            mean_ms=self.total / max(1, self.count) / 1e6,
            p50_ms=p50,
            p90_ms=p90,
            p99_ms=p99,
            p99_9_ms=p99_9,
            max_ms=self.maximum / 1e6,
        )


def _bucket_of(duration_ns: int) -> int:
    """Return the place of a duration's bucket."""
    shift = duration_ns.bit_length() - _SUB_BITS - 1
    index = duration_ns if shift <= 0 else (shift << _SUB_BITS) + (duration_ns >> shift)
    return min(index, _BUCKETS - 1)


def _middle(index: int) -> float:
    """The middle of a bucket in nanoseconds."""
    return (_low(index) + _low(index + 1) - 1) / 2


def _low(index: int) -> int:
    """The shortest duration of a bucket in nanoseconds."""
    if index < 2 << _SUB_BITS:
        return index
    shift = (index >> _SUB_BITS) - 1
    return (index - (shift << _SUB_BITS)) << shift
