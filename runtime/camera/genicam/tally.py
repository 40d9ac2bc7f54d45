"""Counts over all connections to a camera."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Counters = Callable[[], Mapping[str, int]]


class Tally:
    """Counts of a camera: our own, and those that its library begins anew with each connection.

    Args:
        own: names that are shown from the start, with 0.
    """

    def __init__(self, *own: str) -> None:
        self._own = dict.fromkeys(own, 0)
        self._before: dict[str, int] = {}
        self._now: Counters | None = None

    def count(self, name: str, times: int = 1) -> None:
        """Count something."""
        self._own[name] = self._own.get(name, 0) + times

    def follow(self, counters: Counters) -> None:
        """Take a connection's own counts into account, until `settle`."""
        self._now = counters

    def settle(self) -> None:
        """Keep the counts of the connection, which ends."""
        counters, self._now = self._now, None
        if counters is not None:
            self._before = _sum(self._before, counters())

    @property
    def totals(self) -> dict[str, int]:
        """Return all counts by name."""
        counters = self._now
        library = self._before if counters is None else _sum(self._before, counters())
        return {**self._own, **library}


def _sum(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + two.get(name, 0) for name in {**one, **two}}
