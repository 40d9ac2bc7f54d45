"""Frames that never came, told by the ids of those that did."""

from __future__ import annotations

_LARGEST_16 = 0xFFFF
_RESTARTED = 1 << 15
"""A gap so large is taken for a camera that began to count anew."""


class FrameIds:
    """Follows a camera's frame ids.

    GigE Vision counts with 16 bits from 1 to 65,535 and goes on with 1, unless the camera uses
    extended ids; USB3 Vision counts with 64 bits, from 0. An id above 65,535 tells which it is.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._wide = False

    def gap(self, frame_id: int) -> int:
        """Return how many frames are missing between the last id and this one."""
        last, self._last = self._last, frame_id
        self._wide = self._wide or frame_id > _LARGEST_16
        if last is None:
            return 0
        step = frame_id - last
        if step <= 0 and not self._wide:
            # 0 is left out by GigE Vision, and by no other.
            step += _LARGEST_16 + (frame_id == 0)
        return step - 1 if 0 < step < _RESTARTED else 0
