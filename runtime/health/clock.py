"""A camera's own clock, watched against the machine's."""

from __future__ import annotations

SETTLING = 32
"""First frames of a clock, which may have waited in the driver while the model was loaded. The next
one, which did not, seems to gain what they waited."""


class ClockWatch:
    """Tells where a camera's timestamps stand, run backwards or jump ahead.

    A frame that waited in a driver comes late by the machine's clock, never early. So it is a
    jump only where the camera's clock gains on the machine's, and not among the first frames.

    Args:
        jump_s: seconds that it may gain at once.
    """

    def __init__(self, jump_s: float) -> None:
        self._jump_ns = jump_s * 1e9
        self._last_ns: int | None = None
        self._lead_ns = 0
        self._frames = 0

    def wrong(self, device_ns: int, host_ns: int) -> str:
        """Return what is wrong with a timestamp, in words; empty where nothing is.

        Args:
            device_ns: of the camera's clock, from any start.
            host_ns: monotonic, when the frame was at hand.
        """
        last, self._last_ns = self._last_ns, device_ns
        lead = device_ns - host_ns
        if last is None:
            self._lead_ns = lead
            return ""
        self._frames += 1
        if device_ns <= last:
            self._lead_ns, self._frames = lead, 0
            return f"the camera's clock went from {last} to {device_ns} ns"
        gained = lead - self._lead_ns
        if gained > self._jump_ns and self._frames >= SETTLING:
            self._lead_ns = lead
            return f"the camera's clock jumped ahead by {gained / 1e9:.3f} s"
        self._lead_ns = max(self._lead_ns, lead)
        return ""
