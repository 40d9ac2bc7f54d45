"""Matching of cameras' frames to the parts that they show. Pure: verdicts in, parts out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from runtime.stream.parts.verdict import PartVerdict, badness, worst_of
from runtime.stream.verdict import Verdict

MOST_OPEN = 10_000
"""Parts that may wait for a camera at a time; then the oldest goes out without it."""

_REMEMBERED = 1_000  # parts that went out, by which a frame is known that comes too late


@dataclass(eq=False)
class _Part:
    first_ns: int
    last_ns: int
    number: int
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)  # why, by camera


class PartMatcher:
    """Joins the verdicts of several cameras, part by part.

    A part goes out as soon as every camera has spoken, or is known to be missing: the deadline is
    there, the camera's next frame came first, or it has ended. A missing camera makes a `fault`.

    Each camera's verdicts come in the order of its frames, those of different cameras in any.

    Args:
        cameras: their names; of two that are equally bad, the first decides.
        window_ns: frames whose captures began within so many nanoseconds show one part; None to
            go by the frames' numbers, as where one trigger fires all cameras.
        deadline_ns: nanoseconds after the part's first capture by which all cameras must have
            spoken; None to wait until they are past it.

    Attributes:
        late_frames: frames that came after the verdict on their part.
        repeated_frames: further frames of one camera with one number.
        unmatched_frames: frames of a camera whose count of parts cannot be trusted any more.
    """

    def __init__(
        self, cameras: Sequence[str], *, window_ns: int | None, deadline_ns: int | None
    ) -> None:
        self._cameras = tuple(cameras)
        self._window_ns = window_ns
        self._deadline_ns = deadline_ns
        self._open: list[_Part] = []  # in the order of their frames
        self._closed: deque[_Part] = deque(maxlen=_REMEMBERED)
        self._gone: dict[str, str] = {}
        self._count = 0
        self.late_frames = self.repeated_frames = self.unmatched_frames = 0

    @property
    def next_deadline_ns(self) -> int | None:
        """Return the monotonic nanoseconds at which `expire` has work to do; None for never."""
        if self._deadline_ns is None or not self._open:
            return None
        return min(part.first_ns for part in self._open) + self._deadline_ns

    def add(self, camera: str, verdict: Verdict, now_ns: int) -> list[PartVerdict]:
        """Take a camera's verdict on a frame; return the parts that are complete with it."""
        overdue = self.expire(now_ns)
        if camera in self._gone:
            self.unmatched_frames += 1
        elif not self._is_settled(camera, verdict):
            self._place(camera, verdict)
            self._pass_by(camera, verdict)
        return [*overdue, *self._complete(now_ns)]

    def expire(self, now_ns: int) -> list[PartVerdict]:
        """Return the parts whose deadline is there."""
        limit_ns = self._deadline_ns
        if limit_ns is None:
            return []
        for part in self._open:
            if part.first_ns + limit_ns <= now_ns:
                self._miss(part, f"no verdict within {limit_ns / 1e6:g} ms of the part")
        return self._complete(now_ns)

    def leave(self, camera: str, reason: str, now_ns: int) -> list[PartVerdict]:
        """Expect no more of a camera: it is missing in every part from now on.

        Args:
            reason: why, for the verdicts.
        """
        self._gone.setdefault(camera, reason)
        for part in self._open:
            if camera not in part.verdicts:
                part.absent.setdefault(camera, self._gone[camera])
        return self._complete(now_ns)

    def finish(self, now_ns: int) -> list[PartVerdict]:
        """Return all parts that are still open, at the end."""
        for part in self._open:
            self._miss(part, "the stream ended before its frame")
        return self._complete(now_ns)

    def _is_settled(self, camera: str, verdict: Verdict) -> bool:
        """Whether a frame's part has gone out already; it is counted, and changes nothing."""
        if any(self._fits(part, verdict) for part in self._open):
            return False
        settled = [part for part in self._closed if self._fits(part, verdict)]
        if any(camera not in part.verdicts for part in settled):
            self.late_frames += 1
            return True
        if settled and self._window_ns is None:
            self.repeated_frames += 1
            return True
        return False  # by time, a second frame of a camera is of the next part

    def _fits(self, part: _Part, verdict: Verdict) -> bool:
        if self._window_ns is None:
            return part.number == verdict.number
        first = min(part.first_ns, verdict.captured_ns)
        return max(part.last_ns, verdict.captured_ns) - first <= self._window_ns

    def _place(self, camera: str, verdict: Verdict) -> None:
        """Put a verdict to its part, the nearest in time; open one where there is none."""
        fitting = [part for part in self._open if self._fits(part, verdict)]
        for part in fitting:
            if self._window_ns is None and camera in part.verdicts:
                # What is said twice counts once, and the worse of it.
                self.repeated_frames += 1
                part.verdicts[camera] = min(
                    part.verdicts[camera], verdict, key=lambda said: badness(said.decision.status)
                )
                return
        free = [part for part in fitting if camera not in part.verdicts]
        if free:
            part = min(free, key=lambda other: abs(other.first_ns - verdict.captured_ns))
            part.first_ns = min(part.first_ns, verdict.captured_ns)
            part.last_ns = max(part.last_ns, verdict.captured_ns)
            part.absent.pop(camera, None)
        else:
            moment = verdict.captured_ns
            part = _Part(moment, moment, verdict.number, absent=dict(self._gone))
            self._open.append(part)
            self._open.sort(key=self._order)
        part.verdicts[camera] = verdict
        if len(self._open) > MOST_OPEN:
            self._miss(self._open[0], "too many parts waited for it")

    def _pass_by(self, camera: str, verdict: Verdict) -> None:
        """Note in which open parts a camera is missing, since a later frame of it is here."""
        for part in self._open:
            if camera in part.verdicts:
                continue
            if self._window_ns is None:
                past = part.number < verdict.number
            else:
                past = part.first_ns + self._window_ns < verdict.captured_ns
            if past:
                part.absent.setdefault(camera, "no frame of the part before its next one")

    def _order(self, part: _Part) -> int:
        return part.number if self._window_ns is None else part.first_ns

    def _miss(self, part: _Part, reason: str) -> None:
        for camera in self._cameras:
            if camera not in part.verdicts:
                part.absent.setdefault(camera, reason)

    def _complete(self, now_ns: int) -> list[PartVerdict]:
        """Take out the parts of which nothing more is expected."""
        done = [
            part
            for part in self._open
            if all(name in part.verdicts or name in part.absent for name in self._cameras)
        ]
        self._open = [part for part in self._open if part not in done]
        self._closed.extend(done)
        return [self._verdict_on(part, now_ns) for part in done]

    def _verdict_on(self, part: _Part, now_ns: int) -> PartVerdict:
        number = part.number if self._window_ns is None else self._count
        self._count += 1
        ordered = {name: part.verdicts[name] for name in self._cameras if name in part.verdicts}
        missing = {name: part.absent[name] for name in self._cameras if name not in ordered}
        return worst_of(number, ordered, missing, now_ns)
