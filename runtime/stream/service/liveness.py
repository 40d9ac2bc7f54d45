"""Whether a stream works, as its judge and its camera show it. Pure: the clock is passed in."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.camera.base import Camera

QUIET_S = 10.0
"""Seconds without a frame that a camera may take that is not being opened again. A live one that
sends nothing is called lost before that."""

PERIODS = 3.0
"""Periods of a camera's own frame rate, which may be slow, that are waited for in addition."""


@dataclass
class Progress:
    """Frames of one judge. It alone writes it; others read.

    Args:
        taken: that it began to judge.
        finished: that it has judged, with whatever result.
    """

    taken: int = 0
    finished: int = 0


@dataclass(frozen=True)
class Moment:
    """A stream at a moment, as far as it shows.

    Args:
        finished: frames that were judged.
        busy: a judge is at a frame.
        away: the camera is lost, and being opened again.
        quiet_s: seconds without a frame that the camera may take; None for any, as where each
            frame waits for a part.
    """

    finished: int
    busy: bool
    away: bool
    quiet_s: float | None

    @staticmethod
    def of(progress: list[Progress], camera: Camera, fps: float | None = None) -> Moment:
        """Return what judges and a camera show.

        Args:
            fps: frames per second that were asked for.
        """
        # Finished first: a frame that ends meanwhile must not look like one that hangs.
        finished = sum(one.finished for one in progress)
        busy = sum(one.taken for one in progress) > finished
        rate = camera.fps or fps
        quiet_s = QUIET_S + (PERIODS / rate if rate else 0.0)
        return Moment(finished, busy, camera.away, None if camera.trigger else quiet_s)


class Liveness:
    """Tells a stream that works from one that hangs, from one look to the next.

    A stream works where a frame was judged since the last look; or where no judge is at a frame,
    and the camera is being opened again, waits for a part, or was quiet for no longer than it may.

    Args:
        now_s: of the clock that `look` is given.
    """

    def __init__(self, now_s: float) -> None:
        self._finished = 0
        self._progress_at = now_s

    def look(self, moment: Moment, now_s: float) -> bool:
        """Return whether the stream is seen to work."""
        if moment.finished != self._finished or moment.away:
            self._progress_at = now_s
        judged = moment.finished != self._finished
        self._finished = moment.finished
        if judged:
            return True
        if moment.busy:
            return False
        if moment.away or moment.quiet_s is None:
            return True
        return now_s - self._progress_at <= moment.quiet_s
