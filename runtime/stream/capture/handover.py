"""Handover of frames from the capture thread to the judge."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from runtime.camera.base import Frame

if TYPE_CHECKING:
    from runtime.stream.recipes.judges import RecipeJudges


class Ticket:
    """A captured frame's claim to exactly one verdict.

    Judge, watchdog, hand-over and shutdown may all want to have the last word on a frame:
    whoever calls `claim` first has it.

    Args:
        frame: the frame.
        deadline_ns: monotonic nanoseconds by which its verdict has to be out; None for never.
        checked_ns: monotonic nanoseconds when its health was known; None where nobody looked.
        judges: of the recipe that it is judged by; None outside a stream.
    """

    __slots__ = ("_open", "checked_ns", "deadline_ns", "frame", "judges", "settled")

    def __init__(
        self,
        frame: Frame,
        deadline_ns: int | None,
        checked_ns: int | None = None,
        judges: RecipeJudges | None = None,
    ) -> None:
        self.frame = frame
        self.judges = judges
        self.checked_ns = checked_ns
        self.deadline_ns = deadline_ns
        self.settled = False
        self._open = threading.Lock()

    def claim(self) -> bool:
        """True for the first caller alone."""
        first = self._open.acquire(blocking=False)
        if first:
            self.settled = True
        return first

    def leave(self) -> None:
        """Tell its judges that nobody works on it any more."""
        if self.judges is not None:
            self.judges.leave()


class Handover:
    """A short queue between two threads.

    Args:
        depth: frames that may wait.
        newest: True: a frame that comes takes the place of one that waits. False: the capture
            thread waits for room before it reads.
    """

    def __init__(self, *, depth: int, newest: bool) -> None:
        self._depth = depth
        self._newest = newest
        self._waiting: deque[Ticket] = deque()
        self._stopped = False
        self._closed = False
        lock = threading.Lock()
        self._filled = threading.Condition(lock)
        self._emptied = threading.Condition(lock)

    @property
    def full(self) -> bool:
        """Whether the capture thread would have to wait."""
        with self._emptied:
            return not self._newest and len(self._waiting) >= self._depth

    def wait_for_room(self) -> bool:
        """Wait until a frame may be read; False when no more are to be read.

        The wait comes before the read, not after it: a frame that was read does not grow old in
        the capture thread, and the read overlaps the judgement of the frame before.
        """
        with self._emptied:
            while not self._newest and len(self._waiting) >= self._depth and not self._stopped:
                self._emptied.wait()
            return not self._stopped

    def put(self, ticket: Ticket) -> list[Ticket]:
        """Leave a frame for the judge.

        Returns:
            The frames that it displaced: their turn will not come.
        """
        displaced: list[Ticket] = []
        with self._filled:
            if self._newest and ticket.frame.pixels is not None:
                # Broken frames stay, since each of them is owed a verdict that costs nothing.
                displaced = [other for other in self._waiting if other.frame.pixels is not None]
                for other in displaced:
                    self._waiting.remove(other)
            while len(self._waiting) >= self._depth:
                displaced.append(self._waiting.popleft())
            self._waiting.append(ticket)
            self._filled.notify()
        return displaced

    def take(self) -> Ticket | None:
        """The next frame, waited for; None when closed and empty."""
        with self._filled:
            while not self._waiting and not self._closed:
                self._filled.wait()
            if not self._waiting:
                return None
            ticket = self._waiting.popleft()
            self._emptied.notify()
            return ticket

    def stop(self) -> None:
        """Ask the capture thread to read no more. A frame on its way may still be put."""
        with self._emptied:
            self._stopped = True
            self._emptied.notify_all()

    def close(self) -> None:
        """Close for new frames; waiting ones can still be taken."""
        with self._filled:
            self._stopped = self._closed = True
            self._filled.notify_all()
            self._emptied.notify_all()

    def drain(self) -> list[Ticket]:
        """Close, and take all waiting frames at once."""
        self.close()
        with self._filled:
            rest = list(self._waiting)
            self._waiting.clear()
            return rest
