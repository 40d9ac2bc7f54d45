"""Delay of frames on their way from the camera, by the camera's own clock."""

from __future__ import annotations

DRIFT = 2e-4
"""Share by which a camera's clock may run slower than the machine's; quartz is within half."""


class DelayWatch:
    """Tells how much longer than the quickest one before a frame was on its way.

    The camera's clock has any start, and goes a little slower or faster than the machine's. What
    all frames need is not seen; what piles up behind a slow consumer is.
    """

    def __init__(self) -> None:
        self._least_ns = 0.0
        self._sent_ns: int | None = None
        self._arrived_ns = 0

    def delay_ns(self, sent_ns: int, arrived_ns: int) -> int:
        """Return the delay of the next frame in nanoseconds, 0 for the quickest so far.

        Args:
            sent_ns: when it was taken or sent, by the camera's clock. One that runs backwards has
                begun anew.
            arrived_ns: monotonic, when it was at hand.
        """
        way_ns = arrived_ns - sent_ns
        if self._sent_ns is None or sent_ns < self._sent_ns:
            self._least_ns = way_ns
        else:
            drifted_ns = self._least_ns + DRIFT * (arrived_ns - self._arrived_ns)
            self._least_ns = min(way_ns, drifted_ns)
        self._sent_ns, self._arrived_ns = sent_ns, arrived_ns
        return round(way_ns - self._least_ns)
